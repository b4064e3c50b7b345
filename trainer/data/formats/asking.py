"""Records from questions about a photograph: wordings in turn, answers in USCDF, what to ask for in vain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from engine.decoding.sequence import Turn
from engine.masks.rle import bbox
from engine.records import RLE
from engine.text.grammar import Grounded, compose
from engine.text.prompts import IMAGE, REGION, Families, Task, instruction
from trainer.data.formats.base import Skipped
from trainer.data.formats.photographs import Photograph
from trainer.data.formats.reading import NOT_WHOLE, is_whole
from trainer.data.record import Record


@dataclass(frozen=True, slots=True)
class Target:
    """A phrase to write, with its masks."""

    phrase: str
    masks: tuple[RLE, ...]


class Questions:
    """Makes the records of one data set. The questions of a task take its wordings in turn.

    Args:
        families: the wordings.
        skipped: gets what can't be written.
    """

    def __init__(self, families: Families, skipped: Skipped) -> None:
        self._families = families
        self._skipped = skipped
        self._asked: Counter[Task] = Counter()

    def ask(
        self,
        photograph: Photograph,
        task: Task,
        parts: Iterable[str | Target],
        *,
        source: str,
        label: str = "",
        words: Task | None = None,
    ) -> Iterator[Record]:
        """One question and its answer; nothing if its words can't be written.

        Args:
            parts: text and phrases of the answer, in order.
            source: where it comes from, for messages.
            label: what is asked about, for the families that name something.
            words: the family of the question where it isn't that of the task.
        """
        asked = words or task
        wording = self._asked[asked]
        self._asked[asked] += 1
        parts = tuple(parts)
        pieces = [part if isinstance(part, str) else Grounded(part.phrase, len(part.masks)) for part in parts]
        masks = tuple(mask for part in parts if isinstance(part, Target) for mask in part.masks)
        try:
            if IMAGE in label or REGION in label:
                raise ValueError
            question = instruction(asked, label=label.strip(), wording=wording, families=self._families)
            turn = Turn(question, compose(pieces))
        except ValueError:
            self._skipped.add(source, "a phrase that is blank or holds a tag of the prompts or answers")
            return
        if not is_whole(question + turn.answer):
            self._skipped.add(source, NOT_WHOLE)
            return
        yield Record(photograph.path, photograph.height, photograph.width, task, (turn,), masks, source)


class Absent:
    """What to ask for though it is not there: what was asked for most often where it is.

    A name alone must not tell the answer, and nothing is denied that is never affirmed: it may not be annotated.

    Args:
        spoken: how a name is spoken of; what is spoken of as something present is not denied.
    """

    def __init__(self, spoken: Callable[[str], str] = str) -> None:
        self._spoken = spoken
        self._surplus: Counter[str] = Counter()

    def affirmed(self, name: str) -> None:
        """Note that a name was asked for where it is."""
        self._surplus[name] += 1

    def draw(self, present: Collection[str]) -> str | None:
        """A name that is not present and was affirmed oftener than denied; None if there is none."""
        said = {self._spoken(name) for name in present}
        return self._most(name for name in self._surplus if self._spoken(name) not in said)

    def draw_from(self, absent: Collection[str]) -> str | None:
        """The same, of names that are known not to be there."""
        return self._most(name for name in self._surplus if name in absent)

    def _most(self, names: Iterable[str]) -> str | None:
        name = max(names, key=self._surplus.__getitem__, default=None)
        if name is None or self._surplus[name] <= 0:
            return None
        self._surplus[name] -= 1
        return name


def listed(targets: Sequence[Target], last: str) -> list[str | Target]:
    """`a, b and c`, where `last` is the word before the last."""
    parts: list[str | Target] = []
    for number, target in enumerate(targets):
        if number:
            parts.append(last if number == len(targets) - 1 else ",")
        parts.append(target)
    return parts


def left_to_right(masks: Iterable[RLE]) -> tuple[RLE, ...]:
    """Masks in the order in which several targets are answered: by the middle of their boxes."""

    def middle(mask: RLE) -> float:
        left, _, width, _ = bbox(mask)
        return left + width / 2

    return tuple(sorted(masks, key=middle))
