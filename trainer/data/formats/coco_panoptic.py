"""`coco-panoptic`: things and stuff of COCO, every pixel in one segment.

    annotations/panoptic_train2017.json        COCO layout; categories have `isthing`, and an annotation is a picture:
        {"image_id": 9, "file_name": "9.png", "segments_info": [{"id": 3937500, "category_id": 1, "iscrowd": 0}]}
    annotations/panoptic_train2017/NAME.png    the segment's id is red + 256 green + 65536 blue; black is no segment
    train2017/NAME.jpg

The training photographs are read, or those for validation where they are alone.

Link: https://github.com/cocodataset/panopticapi
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from engine.masks.rle import encode
from engine.records import RLE
from engine.text.prompts import Families, Task
from trainer.data.formats.asking import Questions, left_to_right
from trainer.data.formats.base import Format, Skipped
from trainer.data.formats.coco_file import CocoAnnotation, CocoFile, first_of, read_coco
from trainer.data.formats.coco_stuff import spoken
from trainer.data.formats.objects import Group, Objects, spoken_name
from trainer.data.formats.photographs import Names, Photograph, Photographs, shown
from trainer.data.formats.pictures import read_colours
from trainer.data.formats.polygons import Note
from trainer.data.formats.reading import flag, integer
from trainer.data.record import Record


@dataclass(frozen=True, slots=True)
class _Segment:
    """Part of a photograph; `mask` is None where it has no pixel."""

    label: str
    thing: bool
    crowd: bool
    mask: RLE | None


def _read(root: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    name = first_of(root, "annotations/panoptic_train2017.json", "annotations/panoptic_val2017.json")
    maps = first_of(root, name.removesuffix(".json"))
    images = first_of(root, maps.removeprefix("annotations/panoptic_"))
    file = read_coco(root / name, skipped, named=True)
    objects = Objects(Questions(families, skipped), skipped)
    photographs, pictures = Photographs(root, skipped), _Pictures(root, maps)
    for image in file.images:
        source = f"{file.name}: image {image.id}"
        photograph = photographs.find(images, image.file_name, source, size=image.size)
        if photograph is None:
            continue
        annotations = file.annotations.get(image.id, ())
        try:
            groups = _grouped(_segments(pictures, file, photograph, annotations, skipped))
        except ValueError as error:
            names = ", ".join(shown(maps, annotation.raw.get("file_name")) for annotation in annotations)
            skipped.add(f"{source} ({names})" if names else source, str(error))
            continue
        for ask in (objects.semantic, objects.instance, objects.panoptic, objects.gcg, objects.named):
            yield from ask(photograph, groups, source)


class _Pictures:
    """The pictures of segments in a folder of a data set."""

    def __init__(self, root: Path, folder: str) -> None:
        self._root, self._folder, self._names = root, folder, Names(root)

    def ids(self, name: Any, note: Note) -> np.ndarray:
        """The segment of every pixel, `height x width`.

        Args:
            name: of the picture.
            note: told if it is turned.

        Raises:
            ValueError: if the picture is missing or can't be used.
        """
        path = self._names.find(self._folder, name, what="the picture of segments")
        return read_colours(self._root / path, "a picture of segments", note).astype(np.int64) @ np.array(
            [1, 256, 65536]
        )


def _segments(
    pictures: _Pictures, file: CocoFile, photograph: Photograph, annotations: Sequence[CocoAnnotation], skipped: Skipped
) -> list[_Segment]:
    """The segments of a photograph, in the file's order.

    Raises:
        ValueError: if its annotation or picture of segments can't be used.
    """
    if len(annotations) != 1:
        raise ValueError("no annotation, or more than one")
    raw = annotations[0].raw
    entries = raw.get("segments_info")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("no list of segments")
    ids = pictures.ids(raw.get("file_name"), partial(skipped.remark, f"{file.name}: annotation {annotations[0].id}"))
    if ids.shape != (photograph.height, photograph.width):
        raise ValueError("a picture of segments of another size than its photograph")
    segments = []
    for entry in entries:
        category = file.categories.get(entry.get("category_id"))
        if category is None:
            raise ValueError("a segment whose category is not among the categories")
        identity = integer(entry, "id")
        pixels = ids == identity
        if not pixels.any():
            skipped.add(f"{file.name}: segment {identity} of {raw['file_name']}", "a segment without a pixel")
        mask = encode(pixels[None])[0] if pixels.any() else None
        crowd, thing = flag(entry, "iscrowd"), flag(category.raw, "isthing", missing=True)
        segments.append(_Segment(spoken(category.name), thing, crowd, mask))
    if not segments:
        raise ValueError("no segment")
    return segments


def _grouped(segments: Sequence[_Segment]) -> list[Group]:
    labels: dict[str, str] = {}
    for segment in segments:
        labels.setdefault(spoken_name(segment.label), segment.label)
    groups = []
    for name, label in labels.items():
        alike = [segment for segment in segments if spoken_name(segment.label) == name]
        members = [segment.mask for segment in alike if segment.mask and segment.thing and not segment.crowd]
        rest = [segment.mask for segment in alike if segment.mask and (segment.crowd or not segment.thing)]
        stuff, complete = not any(segment.thing for segment in alike), all(segment.mask for segment in alike)
        groups.append(Group(label, left_to_right(members), tuple(rest), stuff, complete))
    return groups


FORMATS: tuple[Format, ...] = (
    Format(
        name="coco-panoptic",
        link="https://github.com/cocodataset/panopticapi",
        layout="annotations/panoptic_train2017.json and panoptic_train2017/*.png beside it, train2017/*.jpg",
        tasks=(
            Task.SEMANTIC,
            Task.INSTANCE,
            Task.PANOPTIC_SEGCAP,
            Task.GCG,
            Task.REFERRING,
            Task.MULTIPLE,
        ),
        read=_read,
    ),
)
