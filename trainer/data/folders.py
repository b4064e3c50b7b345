"""Folders of photographs with their annotation, and the sets that are COCO files or a class index per pixel.

Every set is read into light items (paths and raw annotation); `Folder.load` decodes one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import PhotographError, UsageError
from engine.images.decode import decode
from engine.images.sources import inside
from engine.json_file import read_json
from engine.masks import rle
from trainer.data.formats.base import Skipped
from trainer.data.formats.coco_file import CocoFile, CocoImage, read_coco
from trainer.data.formats.ids import Id
from trainer.data.formats.pictures import read_index
from trainer.data.formats.reading import coco_to_rle, field, read_lines
from trainer.data.scene import IGNORE, Kind, Scene, Thing

MIN_SHARE = 0.0005
"""A class-level region under this share of the frame is annotation noise and is not named."""

CAMVID_STUFF = frozenset({"sky", "building", "road", "pavement", "tree", "fence"})
CAMVID_UNLABELLED = 11
FACADE_NAMES = {
    "balcony fence": "balcony railing", "vegetation": "plant", "traffic infrastructure": "traffic sign",
    "non-building infrastructure": "street furniture",
}  # fmt: skip
"""What its classes are called."""


@dataclass(frozen=True, slots=True)
class CocoObject:
    """One annotation of a COCO file; `segmentation` is polygons or run lengths, as stored, or None."""

    label: str
    index: int
    segmentation: Any
    crowd: bool


@dataclass(frozen=True, slots=True)
class Item:
    """One photograph, not decoded yet.

    Attributes:
        name: the file's name.
        image: the photograph.
        labels: a picture with a class index per pixel.
        instances: a picture with a thing's number per pixel.
        objects: annotated one by one.
        captions: what people wrote about it.
    """

    name: str
    image: Path
    labels: Path | None = None
    instances: Path | None = None
    objects: tuple[CocoObject, ...] = ()
    captions: tuple[str, ...] = ()


def index_map(path: Path, item: Item, image: np.ndarray, known: Iterable[int]) -> np.ndarray:
    """A picture of values, `(H, W)` uint8 of the photograph's size, with known values only.

    Raises:
        UsageError: if it is none.
    """
    try:
        index = read_index(path, "a picture of labels")
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None
    if index.shape != image.shape[:2]:
        raise UsageError(f"{path}: size differs from {item.image.name}")
    strange = set(np.unique(index).tolist()) - {*known, IGNORE}
    if strange:
        raise UsageError(f"{path}: the value {min(strange)} has no class")
    return index


def named_regions(
    index: np.ndarray, classes: Mapping[int, str], stuff: Collection[str] = ()
) -> tuple[tuple[Thing, ...], tuple[str, ...]]:
    """Each class as one thing, and the names of which there is too little.

    Args:
        index: `(H, W)` class of each pixel.
        classes: name of each value that is one.
        stuff: those that have no shape of their own.
    """
    things, slivers = [], []
    values, places = np.unique(index, return_counts=True)
    for value, count in zip(values.tolist(), places.tolist(), strict=True):
        if value not in classes:
            continue
        if count < MIN_SHARE * index.size:
            slivers.append(classes[value])
        else:
            things.append(Thing(classes[value], index == value, classes[value] in stuff))
    return tuple(things), tuple(slivers)


def _class_scene(folder: Folder, item: Item, image: np.ndarray) -> Scene:
    """A class index per pixel, 0 where there is none of them."""
    assert item.labels is not None
    index = index_map(item.labels, item, image, range(len(folder.classes)))
    things, slivers = named_regions(index, dict(enumerate(folder.classes[1:], 1)))
    return Scene(item.name, folder.kind, image, things, semantic=index, slivers=slivers, classes=folder.classes)


def _camvid_scene(folder: Folder, item: Item, image: np.ndarray) -> Scene:
    """A class index per pixel, every pixel of one of them or unlabelled."""
    assert item.labels is not None
    index = index_map(item.labels, item, image, (*range(len(folder.classes)), CAMVID_UNLABELLED))
    things, slivers = named_regions(index, dict(enumerate(folder.classes)), CAMVID_STUFF)
    semantic = np.where(index == CAMVID_UNLABELLED, np.uint8(IGNORE), index)
    return Scene(item.name, folder.kind, image, things, semantic=semantic, slivers=slivers, classes=folder.classes)


def _object_scene(folder: Folder, item: Item, image: np.ndarray) -> Scene:
    """Objects one by one; each pixel's class where every object of some classes is annotated."""
    height, width = image.shape[:2]
    decoded = [(entry, decode_object(entry, height, width, item.image)) for entry in item.objects]
    things = tuple(Thing(entry.label, mask) for entry, mask in decoded if not entry.crowd and mask.any())
    crowds = tuple(sorted({entry.label for entry in item.objects if entry.crowd}))
    semantic = None
    if folder.classes:
        semantic = np.zeros((height, width), np.uint8)
        # Crowds first, then large to small: what is drawn later is in front.
        for entry, mask in sorted(decoded, key=lambda pair: (not pair[0].crowd, -np.count_nonzero(pair[1]))):
            semantic[mask] = IGNORE if entry.crowd else entry.index
    return Scene(item.name, folder.kind, image, things, item.captions, semantic, crowds, classes=folder.classes)


@dataclass(frozen=True, slots=True)
class Folder:
    """A set of photographs.

    Attributes:
        kind: how it is annotated.
        items: its photographs, ordered by name.
        classes: name of every value of `Scene.semantic`; empty if the set has none.
        scene: puts a photograph, `(H, W, 3)` uint8, and its annotation together; by default, objects and captions.
    """

    kind: Kind
    items: tuple[Item, ...]
    classes: tuple[str, ...] = ()
    scene: Callable[[Folder, Item, np.ndarray], Scene] = _object_scene

    def __len__(self) -> int:
        return len(self.items)

    def load(self, item: Item) -> Scene:
        """Decode one photograph.

        Raises:
            UsageError: if a file is missing or can't be read, or its size is not that of its annotation.
        """
        try:
            image = decode(item.image)
        except PhotographError as error:
            reason = error.reason if item.image.is_file() else "no such photograph"
            raise UsageError(f"{item.image}: {reason}") from None
        return self.scene(self, item, image)


def ccp(root: Path, split: str) -> Folder:
    """Clothing Co-Parsing: one fashion photograph of one person, a class index per pixel."""
    return _by_class("ccp", root, split)


def camvid(root: Path, split: str) -> Folder:
    """CamVid: street scenes, a class index per pixel; the last name is the unlabelled one."""
    items, classes = labelled_items(root / "camvid", split)
    return Folder("camvid", items, classes[:CAMVID_UNLABELLED], _camvid_scene)


def carparts(root: Path, split: str) -> Folder:
    """Car-Parts-Segmentation: the parts of one car, a class index per pixel."""
    return _by_class("carparts", root, split)


def facade(root: Path, split: str) -> Folder:
    """Building facades, a class index per pixel."""
    found = _by_class("facade", root, split)
    return replace(found, classes=tuple(FACADE_NAMES.get(name, name) for name in found.classes))


def coco(root: Path, split: str) -> Folder:
    """COCO: every object of 80 classes; some photographs have captions."""
    folder = root / "coco" / split
    instances = read_file(folder / "instances.json", named=True)
    classes = _classes(instances)
    if len(classes) > IGNORE:
        raise UsageError(f"{folder / 'instances.json'}: more than {IGNORE - 1} classes")
    return Folder("coco", _coco_items(folder, instances, classes), classes)


def captioned(root: Path) -> Folder:
    """COCO photographs of which only captions are known."""
    folder = root / "coco" / "captioned"
    captions = read_file(folder / "captions.json")
    told = _captions(folder / "captions.json", captions)
    items = [
        Item(image.file_name, _image(folder, image), captions=tuple(told[image.id]))
        for image in captions.images
        if image.id in told
    ]
    return Folder("captions", sorted_items(items))


def one_person(root: Path) -> Folder:
    """COCO photographs with captions and ONE person's polygon; whatever else they show is not annotated."""
    folder = root / "coco" / "captioned"
    people = read_file(folder / "one_person.json", named=True)
    items = _coco_items(folder, people, _classes(people))
    return Folder("person", tuple(item for item in items if item.objects))


def labelled_items(folder: Path, split: str) -> tuple[tuple[Item, ...], tuple[str, ...]]:
    """The photographs of a split with a picture of labels each, and the names of the labels.

    Raises:
        UsageError: if they are not there.
    """
    names = folder / "classes.txt"
    if not names.is_file():
        raise UsageError(f"{names}: no such list of classes")
    images = folder / split / "images"
    if not images.is_dir():
        raise UsageError(f"{images}: no such folder")
    items = sorted_items(
        Item(path.name, path, folder / split / "labels" / f"{path.stem}.png")
        for path in images.iterdir()
        if path.suffix == ".jpg"
    )
    return items, tuple(line.strip() for line in read_lines(names) if line.strip())


def _by_class(kind: Kind, root: Path, split: str) -> Folder:
    items, classes = labelled_items(root / kind, split)
    return Folder(kind, items, classes, _class_scene)


def _classes(file: CocoFile) -> tuple[str, ...]:
    """The background and the names in the order of their ids."""
    ordered = sorted(file.categories, key=lambda category: (isinstance(category.id, str), category.id))
    return ("background", *dict.fromkeys(category.name for category in ordered))


def _coco_items(folder: Path, instances: CocoFile, classes: Sequence[str]) -> tuple[Item, ...]:
    told = _captions(folder / "captions.json", instances)
    return sorted_items(
        Item(
            image.file_name,
            _image(folder, image),
            objects=tuple(
                CocoObject(entry.category, classes.index(entry.category), entry.raw.get("segmentation"), entry.crowd)
                for entry in instances.annotations.get(image.id, ())
            ),
            captions=tuple(told.get(image.id, ())),
        )
        for image in instances.images
    )


def _image(folder: Path, image: CocoImage) -> Path:
    return inside(folder / "images", image.file_name)


def _captions(path: Path, file: CocoFile) -> Mapping[Id, Sequence[str]]:
    """The captions of a file's images; those of others are not wanted."""
    images = file.images_by_id()
    found: dict[Id, list[str]] = {}
    content = read_json(path)
    try:
        for entry in field(content, "annotations", list):
            image = images.get(field(entry, "image_id", object))
            if image:
                found.setdefault(image.id, []).append(field(entry, "caption", str))
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None
    return found


def read_file(path: Path, *, named: bool = False) -> CocoFile:
    """A file of which every entry can be used.

    Raises:
        UsageError: if it is none.
    """
    skipped = Skipped()
    file = read_coco(path, skipped, named=named)
    for reason, _, (where, *_) in skipped.reasons():
        raise UsageError(f"{path.parent}: {where}: {reason}")
    return file


def decode_object(entry: CocoObject, height: int, width: int, path: Path) -> np.ndarray:
    """The mask of an annotated object, `(H, W)` bool.

    Raises:
        UsageError: if it is none; `path`, the photograph, is named.
    """
    try:
        return rle.decode(coco_to_rle(entry.segmentation, height, width))
    except ValueError as error:
        raise UsageError(f"{path}: the annotation of a {entry.label}: {error}") from None


def sorted_items(items: Iterable[Item]) -> tuple[Item, ...]:
    """By name."""
    return tuple(sorted(items, key=lambda item: item.name))
