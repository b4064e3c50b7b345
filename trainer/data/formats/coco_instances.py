"""`coco-instances`: any set whose objects are all annotated in one COCO file.

    instances.json    COCO objects: polygons or run lengths
    captions.json     optional: COCO captions, of some or all of the photographs
    images/           the photographs, named as `file_name` says

Every object of the file's categories has to be annotated, since what is not there is asked for as well. Where a set
annotates some objects only, its photographs without any are not asked about.

Link: https://cocodataset.org/#format-data
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.records import RLE
from engine.text.prompts import Families, Task
from trainer.data.formats.asking import Questions, left_to_right
from trainer.data.formats.base import Format, Skipped
from trainer.data.formats.coco_file import CocoAnnotation, read_coco
from trainer.data.formats.ids import ById
from trainer.data.formats.objects import Group, Objects, spoken_name
from trainer.data.formats.photographs import Photographs
from trainer.data.formats.talk import Talks
from trainer.data.record import Record


def _read(root: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    instances = read_coco(root / "instances.json", skipped, named=True)
    captions = read_coco(root / "captions.json", skipped) if (root / "captions.json").exists() else None
    texts = ById(captions.annotations.items() if captions else ())
    photographs = Photographs(root, skipped)
    talks = Talks(families, skipped)
    objects = Objects(Questions(families, skipped), skipped)
    for image in instances.images:
        source = f"{instances.name}: image {image.id}"
        photograph = photographs.find("images", image.file_name, source, size=image.size)
        if photograph is None:
            continue
        groups = grouped(instances.annotations.get(image.id, ()), tuple(instances.masks(image, photograph, skipped)))
        told = texts.get(image.id) or ()
        if not groups and not told:
            skipped.add(source, "no object and no caption")
        for ask in (objects.semantic, objects.instance, objects.gcg, objects.named):
            yield from ask(photograph, groups, source)
        for text in told:
            yield from talks.caption(photograph, text.raw.get("caption"), f"captions.json: annotation {text.id}")
    listed = instances.images_by_id()
    for captioned in texts:
        if listed.get(captioned[0].image) is None:
            source = f"captions.json: image {captioned[0].image}"
            skipped.add(source, "captions of a photograph that instances.json doesn't list")


def grouped(annotations: Sequence[CocoAnnotation], usable: Sequence[tuple[CocoAnnotation, RLE]]) -> list[Group]:
    """The objects of a photograph by class, in the order in which the classes come.

    Args:
        annotations: all of them.
        usable: those that have a mask.
    """
    labels: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for annotation in annotations:
        spoken = spoken_name(annotation.category)
        labels.setdefault(spoken, annotation.category)
        counts[spoken] += 1
    found: dict[str, list[tuple[bool, RLE]]] = defaultdict(list)
    for annotation, mask in usable:
        found[spoken_name(annotation.category)].append((annotation.crowd, mask))
    groups = []
    for spoken, label in labels.items():
        alike = found[spoken]
        objects = left_to_right(mask for crowd, mask in alike if not crowd)
        crowds = tuple(mask for crowd, mask in alike if crowd)
        groups.append(Group(label, objects, crowds, complete=len(alike) == counts[spoken]))
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
