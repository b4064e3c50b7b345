"""Which photograph and which question is worked on next: the model's slots are kept full.

Photographs are encoded when slots are free for their questions, children of one photograph run while others are in
their panoptic question, and finished answers wait for each other so that their masks are decoded together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch

from engine.decoding.generator import Request
from engine.errors import PhotographError
from engine.images.transforms import Views
from engine.model.llama import PrefixCache
from engine.pipeline.answering import Answered, Answerer, Asked, Draft, Encoded
from engine.timing import Stages

_MASKS_TOGETHER = 16
"""So many masks fill a call of the mask decoder."""
_AHEAD = 8
"""Photographs leave in order: for each slot, so many may be done ahead of a slow one."""

Done = tuple[int, list[Answered] | PhotographError]


@dataclass(frozen=True, slots=True)
class Opened:
    """A photograph as it comes in.

    Attributes:
        number: its place in the line.
        views: or why there are none.
        draw: which draws its answers get, in whatever run and process.
    """

    number: int
    views: Views | PhotographError
    draw: int = 0


@dataclass(slots=True)
class _Photograph:
    """A photograph between its views and its last answer."""

    number: int
    views: Views
    draw: int
    encoded: Encoded | None = None
    answers: list[Answered | None] = field(default_factory=list)

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

    Args:
        answerer: the model.
        first: the question about every photograph.
        children: most fine-grained questions that may follow it.
        slots: answers in progress at a time.
        stages: where time is noted.
    """

    def __init__(
        self, answerer: Answerer, first: Asked, children: int, slots: int, stages: Stages | None = None
    ) -> None:
        self._answerer = answerer
        self._generator = answerer.generator
        self._first, self._children = first, children
        self._stages = stages or Stages()
        self._slots = slots  # halved for good when memory runs out
        self._most = slots  # less while photographs of a failed batch are tried again
        self._again: deque[_Photograph] = deque()
        self._ready: list[Done] = []
        self._reset()

    def _reset(self) -> None:
        self._inside: dict[int, _Photograph] = {}
        self._waiting: deque[_Question] = deque()
        self._running: dict[int, _Question] = {}
        self._drafts: list[tuple[_Question, Draft]] = []
        self._generator.clear()

    def run(self, photographs: Iterator[Opened]) -> Iterator[Done]:
        """Answer all questions.

        Args:
            photographs: numbered in ascending order; the next one is asked for when there is room for it. One that
                could not be opened passes by.

        Yields:
            each number, with the answers to its questions in order or the reason why there are none; in the order in
            which they are done.
        """
        more = True
        while more or self._inside or self._again:
            new, more = self._pull(photographs, more)
            try:
                self._encode(new)
                self._advance()
            except (RuntimeError, MemoryError) as error:
                self._recover(error)
            ready, self._ready = self._ready, []
            yield from ready

    def _pull(self, photographs: Iterator[Opened], more: bool) -> tuple[list[_Photograph], bool]:
        """As many photographs as will find a slot, and whether there may be more."""
        if not (self._inside or self._again):
            self._most = self._slots
        room = min(self._most - len(self._inside), self._generator.free - len(self._waiting))
        # Several together: one by one would starve a GPU; but slots must not wait long for them either.
        if self._inside and room < max(1, self._most // 4):
            return [], more
        new: list[_Photograph] = []
        while len(new) < room and (more or self._again) and len(self._ready) < _AHEAD * self._slots:
            if self._again:
                new.append(self._again.popleft())
                continue
            if self._inside and _ahead(self._inside, new) > _AHEAD * self._slots:
                break
            with self._stages.measure("wait"):
                entry = next(photographs, None)
            if entry is None:
                more = False
            elif isinstance(entry.views, PhotographError):
                self._ready.append((entry.number, entry.views))
            else:
                new.append(_Photograph(entry.number, entry.views, entry.draw))
        return new, more

    def _encode(self, new: list[_Photograph]) -> None:
        self._inside |= {photograph.number: photograph for photograph in new}
        if not new:
            return
        encoded = self._answerer.encode([photograph.views for photograph in new])
        for photograph, features in zip(new, encoded, strict=True):
            photograph.encoded, photograph.answers = features, [None]
            self._waiting.append(_Question(photograph, 0, self._first))

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
            keep_prefix=bool(self._children) and not question.place,
            draw=hash((photograph.draw, question.place)),
        )

    def _finish(self) -> None:
        """Decode the masks of finished answers, ask what follows from them, and let go of what is done."""
        drafts, self._drafts = self._drafts, []
        answers = self._answerer.finish([draft for _, draft in drafts])
        for (question, draft), answered in zip(drafts, answers, strict=True):
            photograph = question.photograph
            photograph.answers[question.place] = answered
            if self._children and not question.place:
                follow = self._answerer.follow(answered, photograph.views, self._children)
                photograph.answers += [None] * len(follow)
                # Before the questions of photographs that came later: what is begun gets done.
                self._waiting.extendleft(
                    _Question(photograph, place, asked, draft.generated.prefix)
                    for place, asked in reversed(list(enumerate(follow, start=1)))
                )
            if photograph.done:
                del self._inside[photograph.number]
                self._ready.append((photograph.number, [one for one in photograph.answers if one is not None]))

    def _recover(self, error: RuntimeError | MemoryError) -> None:
        """Try the photographs of a failed batch again, fewer at a time; one that fails alone has failed."""
        lost = [self._inside[number] for number in sorted(self._inside)]
        self._reset()
        if not lost:
            raise error
        if len(lost) == 1:
            reason = " ".join(str(error).split()) or type(error).__name__
            self._ready.append((lost[0].number, PhotographError("model", reason)))
            return
        if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
            self._slots = max(1, self._slots // 2)
            self._generator.resize(self._slots)
        self._most = max(1, min(self._slots, len(lost) // 2))
        self._again.extendleft(reversed(lost))


def _ahead(inside: Iterable[int], new: Sequence[_Photograph]) -> int:
    """How far the last photograph taken is ahead of the oldest unfinished one."""
    oldest = min(inside)
    return max((photograph.number for photograph in new), default=max(inside)) - oldest
