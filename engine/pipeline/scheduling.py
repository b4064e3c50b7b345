"""Which photograph and which question is worked on next: the model's slots are kept full.

Photographs are encoded when slots are free for their questions, children of one photograph run while others are in
their panoptic question, and finished answers wait for each other so that their masks are decoded together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from engine.decoding.row import Request
from engine.errors import MglmmError, PhotographError
from engine.images.transforms import Views
from engine.model.llama import PrefixCache
from engine.pipeline.answering import Answered, Answerer, Asked, Draft, Encoded
from engine.pipeline.trouble import OutOfMemory, photograph_error
from engine.timing import Stages

_MASKS_TOGETHER = 16
"""So many masks fill a call of the mask decoder."""
_AHEAD = 8
"""Photographs leave in order: for each slot, so many may be done ahead of a slow one."""

Done = tuple[int, list[Answered] | PhotographError]


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked about a photograph.

    Attributes:
        asked: in order; at least one.
        children: most fine-grained questions that may follow the first one.
    """

    asked: tuple[Asked, ...]
    children: int = 0


@dataclass(frozen=True, slots=True)
class Opened:
    """A photograph as it comes in.

    Attributes:
        number: its place in the line.
        views: of it.
        questions: about it.
        draw: which draws its answers get, in whatever run and process.
    """

    number: int
    views: Views
    questions: Questions
    draw: int = 0


@dataclass(slots=True)
class _Photograph:
    """A photograph between its views and its last answer."""

    number: int
    views: Views
    questions: Questions
    draw: int
    encoded: Encoded | None = None
    answers: list[Answered | None] = field(default_factory=list)

    @classmethod
    def of(cls, opened: Opened | _Photograph) -> _Photograph:
        """One of which nothing is known yet."""
        return cls(opened.number, opened.views, opened.questions, opened.draw)

    @property
    def more(self) -> bool:
        """Whether questions follow the first one, which then keeps what it read of the photograph for them."""
        return bool(self.questions.children) or len(self.questions.asked) > 1

    @property
    def done(self) -> bool:
        return all(answer is not None for answer in self.answers)


@dataclass(slots=True)
class _Question:
    """Question `place` about a photograph."""

    photograph: _Photograph
    place: int
    asked: Asked
    cached: PrefixCache | None = None


class Scheduler:
    """Answers questions about any number of photographs.

    Attributes:
        short: memory ran out in the last round, and what was in progress is tried again.

    Args:
        answerer: the model.
        stages: where time is noted.
    """

    def __init__(self, answerer: Answerer, stages: Stages | None = None) -> None:
        self._answerer = answerer
        self._generator = answerer.generator
        self._stages = stages or Stages()
        self._slots = self._generator.slots  # halved for good when memory runs out
        self._most = self._slots  # less while photographs of a failed batch are tried again
        self._again: deque[_Photograph] = deque()
        self._ready: list[Done] = []
        self._alone: int | None = None  # the last one that failed with nothing beside it
        self.short = False
        self._reset()

    def _reset(self) -> None:
        self._inside: dict[int, _Photograph] = {}
        self._waiting: deque[_Question] = deque()
        self._running: dict[int, _Question] = {}
        self._drafts: list[tuple[_Question, Draft]] = []
        self._generator.clear()

    @property
    def busy(self) -> bool:
        """Whether there is something to work on."""
        return bool(self._inside or self._again)

    def room(self) -> int:
        """How many more photographs find a slot now."""
        # What is tried again comes first.
        return 0 if self.busy and self._most < self._slots else self._room()

    def furthest(self, following: int) -> int:
        """The highest number that is taken before the oldest photograph in hand is done.

        Args:
            following: the number of the next one.
        """
        oldest = min([*self._inside, *(photograph.number for photograph in self._again)], default=following)
        return oldest + _AHEAD * self._slots

    def work(self, new: Sequence[Opened]) -> list[Done]:
        """Begin with new photographs, no more than there is room for, and write a token for each answer in progress.

        Args:
            new: numbered in ascending order, after all before.

        Returns:
            the numbers of those that are done, with the answers to their questions in order or the reason why there
            are none.
        """
        lost = [self._again.popleft() for _ in range(min(len(self._again), self._room()))]
        self.short = False
        try:
            self._encode(lost + [_Photograph.of(opened) for opened in new])
            self._advance()
        except MglmmError:
            raise
        except Exception as error:
            self._recover(error)
        ready, self._ready = self._ready, []
        return ready

    def shrink(self) -> None:
        """Go on with half as many slots, for good; there must be no answer in progress."""
        if self._slots > 1:
            self._slots //= 2
            self._generator.resize(self._slots)

    def _room(self) -> int:
        if not self.busy:
            self._most = self._slots
        room = min(self._most - len(self._inside), self._generator.free - len(self._waiting))
        # Several together: one by one would starve a GPU; but slots must not wait long for them either.
        return 0 if self._inside and room < max(1, self._most // 4) else max(0, room)

    def _encode(self, new: list[_Photograph]) -> None:
        self._inside |= {photograph.number: photograph for photograph in new}
        if not new:
            return
        encoded = self._answerer.encode([photograph.views for photograph in new])
        for photograph, features in zip(new, encoded, strict=True):
            photograph.encoded, photograph.answers = features, [None]
            self._waiting.append(_Question(photograph, 0, photograph.questions.asked[0]))

    def _advance(self) -> None:
        """One token for every answer in progress, and masks for those that are finished."""
        room = min(self._generator.free, self._most - self._generator.active, len(self._waiting))
        questions = [self._waiting.popleft() for _ in range(room)]
        if questions:
            names = self._generator.start([self._request(question) for question in questions])
            self._running |= dict(zip(names, questions, strict=True))
        for name, generated in self._generator.step():
            question = self._running.pop(name)
            assert question.photograph.encoded is not None
            self._drafts.append((question, Draft(question.asked, question.photograph.encoded, generated)))
        masks = sum(len(draft.generated.seg_states) for _, draft in self._drafts)
        if self._drafts and (masks >= _MASKS_TOGETHER or len(self._running) <= self._most // 2):
            self._finish()

    def _request(self, question: _Question) -> Request:
        photograph = question.photograph
        assert photograph.encoded is not None
        return replace(
            self._answerer.request(photograph.encoded, question.asked),
            cached=question.cached,
            keep_prefix=photograph.more and not question.place,
            draw=hash((photograph.draw, question.place)),
        )

    def _finish(self) -> None:
        """Decode the masks of finished answers, ask what follows from them, and let go of what is done."""
        drafts, self._drafts = self._drafts, []
        answers = self._answerer.finish([draft for _, draft in drafts])
        for (question, draft), answered in zip(drafts, answers, strict=True):
            photograph = question.photograph
            photograph.answers[question.place] = answered
            if photograph.more and not question.place:
                follow = list(photograph.questions.asked[1:])
                if children := photograph.questions.children:
                    follow += self._answerer.follow(answered, photograph.views, children)
                photograph.answers += [None] * len(follow)
                # Before the questions of photographs that came later: what is begun gets done.
                self._waiting.extendleft(
                    _Question(photograph, place, asked, draft.generated.prefix)
                    for place, asked in reversed(list(enumerate(follow, start=1)))
                )
            if photograph.done:
                del self._inside[photograph.number]
                self._ready.append((photograph.number, [one for one in photograph.answers if one is not None]))

    def _recover(self, error: Exception) -> None:
        """Try the photographs of a failed batch again, fewer at a time; one that fails alone has failed."""
        lost = [self._inside[number] for number in sorted(self._inside)]
        self._reset()
        if not lost:
            raise error
        trouble = photograph_error("model", error)
        self.short = isinstance(trouble, OutOfMemory)
        if len(lost) == 1 and not self._may_fit(lost[0]):
            self._ready.append((lost[0].number, trouble))
            return
        if self.short:
            self.shrink()
        self._most = max(1, min(self._slots, len(lost) // 2))
        self._again.extendleft(map(_Photograph.of, reversed(lost)))

    def _may_fit(self, alone: _Photograph) -> bool:
        """Whether one that failed with nothing beside it in the model is worth another try."""
        before, self._alone = self._alone, alone.number
        return self.short and (self._slots > 1 or before != alone.number)
