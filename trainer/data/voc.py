"""PASCAL VOC: 20 classes per pixel, and which of their regions is one thing.

A class has one region in the labels, of one thing or of many. It is taken apart where things are annotated one by one;
where they are not, it is one thing if nothing says that it is more, and else uncounted.

Legend: `H x W` frame of the photograph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from trainer.data.folders import (
    CocoObject,
    Folder,
    Item,
    decode_object,
    index_map,
    labelled_items,
    named_regions,
    read_file,
)
from trainer.data.formats.coco_file import CocoFile
from trainer.data.scene import IGNORE, Scene, Thing

UNLABELLED = 21
COVERED = 0.9
"""The share of a class that things annotated one by one must cover, or others are there."""
UPRIGHT = 1.2
"""Height to width of a region of people that is more likely one person than two."""
COARSE = 64
SMALL_PIECE = 0.1
"""A piece of less than this share of the largest one belongs to it: something stands between them."""

_COCO_NAMES = {
    "aeroplane": "airplane", "motorbike": "motorcycle", "sofa": "couch", "tv monitor": "tv",
}  # fmt: skip


def voc(root: Path, split: str) -> Folder:
    """Mostly animals, with a mask for each that could be told apart; people and things have one for each class."""
    return _folder(root / "voc", split, "animals.json")


def voc2(root: Path, split: str) -> Folder:
    """Aeroplanes, vehicles and rooms; a box for everything, a mask for what could be told apart."""
    return _folder(root / "voc2", split, "instances.json")


def _folder(folder: Path, split: str, annotations: str) -> Folder:
    items, classes = labelled_items(folder, split)
    names = tuple(_COCO_NAMES.get(name, name) for name in classes[:UNLABELLED])
    objects = _objects(read_file(folder / split / annotations, named=True), names)
    return Folder("voc", tuple(replace(item, objects=objects.get(item.name, ())) for item in items), names, _scene)


def _objects(file: CocoFile, names: Sequence[str]) -> dict[str, tuple[CocoObject, ...]]:
    return {
        image.file_name: tuple(
            CocoObject(label, names.index(label), entry.raw.get("segmentation"), entry.crowd)
            for entry in file.annotations.get(image.id, ())
            if (label := _COCO_NAMES.get(entry.category, entry.category)) in names
        )
        for image in file.images
    }


def _scene(folder: Folder, item: Item, image: np.ndarray) -> Scene:
    assert item.labels is not None
    index = index_map(item.labels, item, image, range(UNLABELLED + 1))
    regions, slivers = named_regions(index, dict(enumerate(folder.classes[1:], 1)))
    things: list[Thing] = []
    uncounted = []
    for region in regions:
        objects = [entry for entry in item.objects if entry.label == region.label]
        apart = _apart(region, objects, item)
        if not apart and not _is_one(region, len(objects)):
            uncounted.append(region.label)
        things += apart or [region]
    semantic = np.where(index == UNLABELLED, np.uint8(IGNORE), index)
    return Scene(
        item.name,
        folder.kind,
        image,
        tuple(things),
        semantic=semantic,
        crowds=tuple(uncounted),
        slivers=slivers,
        classes=folder.classes,
    )


def _apart(region: Thing, objects: Sequence[CocoObject], item: Item) -> list[Thing]:
    """The things of a class, if each of them has a mask; empty if some may have none."""
    height, width = region.mask.shape
    if not objects or any(entry.segmentation is None for entry in objects):
        return []
    masks = [decode_object(entry, height, width, item.image) & region.mask for entry in objects]
    if np.count_nonzero(np.logical_or.reduce(masks)) < COVERED * np.count_nonzero(region.mask):
        return []
    return [Thing(region.label, mask) for mask in masks if mask.any()]


def _is_one(region: Thing, objects: int) -> bool:
    """Whether a class's region is a single thing, as far as can be told.

    Args:
        region: all of the class.
        objects: how many of it are annotated; 0 if that is not known.
    """
    if objects > 1 or pieces(region.mask) > 1:
        return False
    if objects == 1 or region.label != "person":
        return True
    rows, columns = np.flatnonzero(region.mask.any(axis=1)), np.flatnonzero(region.mask.any(axis=0))
    return bool(rows[-1] + 1 - rows[0] > UPRIGHT * (columns[-1] + 1 - columns[0]))


def pieces(mask: np.ndarray) -> int:
    """How many pieces of like size a mask has, looked at from afar.

    Args:
        mask: `H x W` bool.
    """
    height, width = mask.shape
    scale = COARSE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)) > 85
    numbers = np.where(small, np.arange(1, small.size + 1).reshape(small.shape), 0)
    while True:
        # The largest number of a piece spreads over all of it.
        around = np.pad(numbers, 1)
        spread = np.max([around[y : y + size[1], x : x + size[0]] for y in range(3) for x in range(3)], axis=0)
        spread = np.where(small, spread, 0)
        if (spread == numbers).all():
            break
        numbers = spread
    _, areas = np.unique(numbers[small], return_counts=True)
    return int(np.count_nonzero(areas >= SMALL_PIECE * areas.max())) if len(areas) else 0
