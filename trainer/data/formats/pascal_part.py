"""`pascal-part`: parts of the objects of PASCAL VOC 2010, as the COCO file that VLPart makes of it and LISA trains on.

    train.json                              COCO layout; categories are `bus:license plate`, all annotations are parts
    VOCdevkit/VOC2010/JPEGImages/NAME.jpg   the photographs

The file doesn't tell which object a part belongs to, so a part that occurs once is asked for as that of the object, and
parts of one name are asked for together.

Link: https://github.com/facebookresearch/VLPart/tree/main/datasets#pascal-part
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from engine.records import RLE
from engine.text.prompts import Families, Task
from trainer.data.compose.nouns import noun
from trainer.data.compose.segmentation import MAX_MEMBERS
from trainer.data.formats.asking import Questions, Target, left_to_right
from trainer.data.formats.base import Format, Skipped
from trainer.data.formats.coco_file import read_coco
from trainer.data.formats.objects import TOO_MANY
from trainer.data.formats.parts import part_name
from trainer.data.formats.photographs import Photographs
from trainer.data.record import Record

_IMAGES = "VOCdevkit/VOC2010/JPEGImages"


def _read(root: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    file = read_coco(root / "train.json", skipped, named=True)
    questions, photographs = Questions(families, skipped), Photographs(root, skipped)
    for image in file.images:
        source = f"{file.name}: image {image.id}"
        annotated = [annotation.category for annotation in file.annotations.get(image.id, ())]
        if not annotated:
            skipped.add(source, "no part")
            continue
        photograph = photographs.find(_IMAGES, image.file_name, source, size=image.size)
        if photograph is None:
            continue
        classes: dict[str, list[RLE]] = defaultdict(list)
        for annotation, mask in file.masks(image, photograph, skipped):
            classes[annotation.category].append(mask)
        for category, masks in classes.items():
            where = f"{source}, {category}"
            if len(masks) > MAX_MEMBERS:
                skipped.add(where, TOO_MANY)
                continue
            if len(masks) < annotated.count(category):
                skipped.add(where, "one of its like can't be used")
                continue
            name = part_name(category)
            task = Task.REFERRING if len(masks) == 1 else Task.MULTIPLE
            phrase = name.definite if task is Task.REFERRING else noun(name.compound).plural
            target = Target(phrase, left_to_right(masks))
            yield from questions.ask(photograph, task, [target], source=where, label=phrase)


FORMATS: tuple[Format, ...] = (
    Format(
        name="pascal-part",
        link="https://github.com/facebookresearch/VLPart/tree/main/datasets#pascal-part",
        layout=f"train.json and {_IMAGES}/*.jpg",
        tasks=(Task.REFERRING, Task.MULTIPLE),
        read=_read,
    ),
)
