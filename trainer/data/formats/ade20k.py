"""`ade20k`: ADE20K as released for scene parsing (ADEChallengeData2016).

    objectInfo150.txt                            tab-separated: Idx, Ratio, Train, Val, Name
    images/training/ADE_train_00000001.jpg
    annotations/training/ADE_train_00000001.png  value 1 to 150 is `Idx`; 0 is any other object

`Name` is a list of synonyms, of which the first is used. The training photographs are read, or those for validation
where they are alone.

Link: https://github.com/CSAILVision/sceneparsing
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.errors import UsageError
from engine.text.prompts import Families, Task
from trainer.data.formats.base import Format, Skipped
from trainer.data.formats.coco_file import first_of
from trainer.data.formats.index_png import Regions, pair
from trainer.data.formats.reading import read_lines
from trainer.data.record import Record

_OTHER = 0


def _read(root: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    names = _names(root / "objectInfo150.txt")
    images = first_of(root, "images/training", "images/validation")
    labels = images.replace("images", "annotations")
    regions = Regions(names, frozenset({_OTHER}), frozenset(names), families, skipped)
    yield from regions.records(root, pair(root, images, labels, skipped))


def _names(path: Path) -> dict[int, str]:
    names: dict[int, str] = {}
    for number, line in enumerate(read_lines(path)[1:], start=2):
        cells = line.split("\t")
        if len(cells) < 5 or not cells[0].strip().isdecimal():
            raise UsageError(f"{path}: line {number}: not index, ratio, two counts and a name with tabs between them")
        names[int(cells[0])] = cells[-1].split(",")[0].strip()
    return names


FORMATS: tuple[Format, ...] = (
    Format(
        name="ade20k",
        link="https://github.com/CSAILVision/sceneparsing",
        layout="objectInfo150.txt, images/training/*.jpg and annotations/training/*.png",
        tasks=(Task.SEMANTIC, Task.REFERRING),
        read=_read,
    ),
)
