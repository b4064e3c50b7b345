"""What is asked about the annotated classes of a photograph: class lists, each object, all of a class, captions.

The limits and the wording of answers are those of `trainer.data.compose`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.masks.rle import area
from engine.records import RLE
from engine.text.prompts import Task
from trainer.data.compose.kinds.objects import MAX_CLASSES, MAX_INSTANCES, MIN_CLASS_SHARE
from trainer.data.compose.nouns import counted, definite, noun
from trainer.data.compose.segmentation import MAX_MEMBERS, MIN_INSTANCE_SHARE, refusal
from trainer.data.formats.asking import Absent, Questions, Target, left_to_right, listed
from trainer.data.formats.base import Skipped
from trainer.data.formats.photographs import Photograph
from trainer.data.formats.reading import union
from trainer.data.record import Record

MAX_LISTED = 12
"""Classes in a class list; the largest are kept."""

TOO_MANY = f"more than {MAX_MEMBERS} of a class"
"""Why a class is not asked for by its name."""

_MANY = 99  # spoken of as "several"


@dataclass(frozen=True, slots=True)
class Group:
    """All of one class in a photograph.

    Attributes:
        label: its class, as it is spoken of.
        members: a mask for each object, left to right.
        rest: what is not told apart: a crowd, or all of a class that has no objects.
        stuff: it has no shape of its own (sky, road).
        complete: whether the masks are all that is annotated; some may be unusable.
    """

    label: str
    members: tuple[RLE, ...]
    rest: tuple[RLE, ...] = ()
    stuff: bool = False
    complete: bool = True

    @property
    def whole(self) -> RLE:
        """All of it."""
        return union([*self.members, *self.rest])

    @property
    def countable(self) -> bool:
        """Whether its members are all there is of it."""
        return bool(self.members) and not self.rest and self.complete


def spoken_name(label: str) -> str:
    """What labels have in common that are one class to whoever asks: `tv`, `television`."""
    return noun(label).singular.casefold()


class Objects:
    """Asks about photographs in which every object of the set's classes is annotated.

    Args:
        questions: makes the records.
        skipped: gets the classes with too many objects to ask for all.
    """

    def __init__(self, questions: Questions, skipped: Skipped) -> None:
        self._questions = questions
        self._skipped = skipped
        self._absent = {task: Absent(spoken_name) for task in (Task.REFERRING, Task.MULTIPLE)}
        self._named = 0

    def semantic(self, photograph: Photograph, groups: Sequence[Group], source: str) -> Iterator[Record]:
        """The class list: one mask each, the largest class first."""
        found = _largest(photograph, groups)[:MAX_LISTED]
        if found:
            targets = [Target(noun(group.label).singular, (group.whole,)) for group in found]
            yield from self._questions.ask(photograph, Task.SEMANTIC, listed(targets, ","), source=source)

    def instance(self, photograph: Photograph, groups: Sequence[Group], source: str) -> Iterator[Record]:
        """Every object with a mask of its own: the ten largest, class by class, left to right."""
        pixels = photograph.height * photograph.width
        sizes = sorted((area(mask) for group in groups for mask in group.members), reverse=True)[:MAX_MEMBERS]
        least = max(MIN_INSTANCE_SHARE * pixels, sizes[-1] if sizes else 0)
        targets = [
            Target(noun(group.label).singular, (mask,))
            for group in _largest(photograph, groups, share=0)
            for mask in group.members
            if area(mask) >= least
        ][:MAX_MEMBERS]
        if targets:
            yield from self._questions.ask(photograph, Task.INSTANCE, listed(targets, ","), source=source)

    def panoptic(self, photograph: Photograph, groups: Sequence[Group], source: str) -> Iterator[Record]:
        """A sentence that names things and stuff, one mask a phrase."""
        targets = [Target(_amount(group), (group.whole,)) for group in _largest(photograph, groups)[:MAX_CLASSES]]
        yield from self._shown(photograph, Task.PANOPTIC_SEGCAP, targets, source)

    def gcg(self, photograph: Photograph, groups: Sequence[Group], source: str) -> Iterator[Record]:
        """A sentence that names things, a mask for each of the largest objects."""
        targets = []
        for group in [group for group in _largest(photograph, groups) if group.members][:MAX_CLASSES]:
            kept = sorted(group.members, key=area, reverse=True)[:MAX_INSTANCES]
            targets.append(Target(_amount(group), left_to_right(kept)))
        yield from self._shown(photograph, Task.GCG, targets, source)

    def named(self, photograph: Photograph, groups: Sequence[Group], source: str) -> Iterator[Record]:
        """Every class by its name: the only one of it, or all of it; and what is not there, two times for three."""
        asked = 0
        for group in groups:
            if not group.countable or group.stuff:
                continue
            if len(group.members) > MAX_MEMBERS:
                self._skipped.add(f"{source}, {group.label}", TOO_MANY)
                continue
            self._named += 1
            task = Task.REFERRING if len(group.members) == 1 and self._named % 2 else Task.MULTIPLE
            name = _asked_for(task, group.label)
            self._absent[task].affirmed(group.label)
            yield from self._questions.ask(photograph, task, [Target(name, group.members)], source=source, label=name)
            asked += 1
        present = {group.label for group in groups}
        for number in range((asked + 1) // 2):
            task = (Task.REFERRING, Task.MULTIPLE)[(self._named + number) % 2]
            label = self._absent[task].draw(present)
            if label is not None:
                present.add(label)
                name = _asked_for(task, label)
                answer = refusal(name.removeprefix("the "))
                yield from self._questions.ask(photograph, task, [answer], source=source, label=name)

    def _shown(self, photograph: Photograph, task: Task, targets: Sequence[Target], source: str) -> Iterator[Record]:
        if targets:
            parts = ["The image shows", *listed(targets, "and"), "."]
            yield from self._questions.ask(photograph, task, parts, source=source)


def _largest(photograph: Photograph, groups: Sequence[Group], share: float = MIN_CLASS_SHARE) -> list[Group]:
    """The groups that are large enough to name, the largest first."""
    least = share * photograph.height * photograph.width
    sizes = [(area(group.whole), group) for group in groups if group.members or group.rest]
    return [group for size, group in sorted(sizes, key=lambda pair: -pair[0]) if size >= least]


def _amount(group: Group) -> str:
    if group.stuff:
        return definite(group.label)
    return counted(group.label, len(group.members) if group.countable else _MANY)


def _asked_for(task: Task, label: str) -> str:
    return definite(label) if task is Task.REFERRING else noun(label).plural
