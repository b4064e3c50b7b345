"""`coco-instances`: any set whose objects are all annotated in one COCO file.

    instances.json    COCO objects: polygons or run lengths
    captions.json     optional: COCO captions, of some or all of the photographs
    images/           the photographs, named as `file_name` says

Every object of the file's categories has to be annotated, since what is not there is asked for as well. Where a set
annotates some objects only, its photographs without any are not asked about.

Link: https://cocodataset.org/#format-data
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.records import RLE
from engine.text.prompts import Families, Task
from trainer.data.formats.asking import Photograph, Questions, left_to_right
from trainer.data.formats.base import Format, Skipped
from trainer.data.formats.coco_file import CocoAnnotation, is_usable, read_coco
from trainer.data.formats.objects import Group, Objects
from trainer.data.formats.talk import Talks
from trainer.data.record import Record


def _read(root: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    instances = read_coco(root / "instances.json", skipped)
    captions = read_coco(root / "captions.json", skipped) if (root / "captions.json").exists() else None
    texts = captions.annotations if captions else {}
    talks = Talks(families, skipped)
    objects = Objects(Questions(families, skipped), skipped)
    for image in instances.images:
        source = f"{instances.name}: image {image.id}"
        photograph = Photograph(f"images/{image.file_name}", image.height, image.width)
        if not is_usable(root, photograph.path, image.height, image.width, source, skipped):
            continue
        groups = grouped(instances.annotations.get(image.id, ()), tuple(instances.masks(image, skipped)))
        if not groups and image.id not in texts:
            skipped.add(source, "no object and no caption")
        for ask in (objects.semantic, objects.instance, objects.gcg, objects.named):
            yield from ask(photograph, groups, source)
        for text in texts.get(image.id, ()):
            yield from talks.caption(photograph, text.raw.get("caption"), f"captions.json: annotation {text.id}")
    for identity in texts.keys() - {image.id for image in instances.images}:
        skipped.add(f"captions.json: image {identity}", "captions of a photograph that instances.json doesn't list")


def grouped(annotations: Sequence[CocoAnnotation], usable: Sequence[tuple[CocoAnnotation, RLE]]) -> list[Group]:
    """The objects of a photograph by class, in the order in which the classes come.

    Args:
        annotations: all of them.
        usable: those that have a mask.
    """
    counts = Counter(annotation.category for annotation in annotations)
    groups = []
    for label, count in counts.items():
        alike = [(annotation.crowd, mask) for annotation, mask in usable if annotation.category == label]
        objects = left_to_right(mask for crowd, mask in alike if not crowd)
        groups.append(
            Group(label, objects, tuple(mask for crowd, mask in alike if crowd), complete=len(alike) == count)
        )
    return groups


FORMATS: tuple[Format, ...] = (
    Format(
        name="coco-instances",
        link="https://cocodataset.org/#format-data",
        layout="instances.json and images/; captions.json where there are captions",
        tasks=(Task.SEMANTIC, Task.INSTANCE, Task.GCG, Task.REFERRING, Task.MULTIPLE, Task.CAPTION),
        read=_read,
    ),
)
