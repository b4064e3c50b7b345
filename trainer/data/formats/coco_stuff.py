"""`coco-stuff`: the pixel maps of COCO-Stuff, things and stuff.

    labels.txt                     `1: person` and so on to 182; 0 is unlabelled
    images/train2017/NAME.jpg
    annotations/train2017/NAME.png value 0 to 181 is the label's number less one; 255 is unlabelled

A name with a hyphen is a kind of something (`wall-brick`), or the rest of its kinds (`wall-other`). It stands in class
lists, but is not asked for by name: another class may be meant as well. The training photographs are read, or those for
validation where they are alone.

Link: https://github.com/nightrome/cocostuff
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.errors import UsageError
from engine.text.prompts import Families, Task
from trainer.data.formats.base import Format, Skipped
from trainer.data.formats.coco_file import first_of
from trainer.data.formats.index_png import NO_CLASS, Regions, pair
from trainer.data.formats.reading import read_lines
from trainer.data.record import Record

_REST = frozenset({"other", "stuff", "merged"})
_SPOKEN = {
    "window-blind": "window blind", "playingfield": "playing field", "waterdrops": "water drops",
    "solid-other": "solid object", "structural-other": "structure",
}  # fmt: skip


def spoken(name: str) -> str:
    """How a class is spoken of: `wall-brick` is a brick wall, `wall-other-merged` a wall."""
    if name in _SPOKEN:
        return _SPOKEN[name]
    kind, *qualifiers = name.split("-")
    return " ".join([*(qualifier for qualifier in qualifiers if qualifier not in _REST), kind])


def _read(root: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    labels = _labels(root / "labels.txt")
    images = first_of(root, "images/train2017", "images/val2017")
    names = {number - 1: spoken(name) for number, name in labels.items() if number}
    by_name = frozenset(number - 1 for number, name in labels.items() if number and "-" not in name)
    regions = Regions(names, frozenset({NO_CLASS}), by_name, families, skipped)
    yield from regions.records(root, pair(root, images, images.replace("images", "annotations"), skipped))


def _labels(path: Path) -> dict[int, str]:
    labels: dict[int, str] = {}
    for number, line in enumerate(read_lines(path), start=1):
        index, colon, name = line.partition(":")
        if not colon or not index.strip().isdecimal() or not name.strip():
            raise UsageError(f"{path}: line {number}: not `number: name`")
        labels[int(index)] = name.strip()
    return labels


FORMATS: tuple[Format, ...] = (
    Format(
        name="coco-stuff",
        link="https://github.com/nightrome/cocostuff",
        layout="labels.txt, images/train2017/*.jpg and annotations/train2017/*.png",
        tasks=(Task.SEMANTIC, Task.REFERRING),
        read=_read,
    ),
)
