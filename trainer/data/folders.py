"""The layouts of the photograph sets: folders of images and annotations -> `Scene`.

Every set is read into light items (paths and raw annotation); `Folder.load` decodes one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class CocoObject:
    """One annotation of a COCO file; `segmentation` is polygons or run lengths, as stored."""

    label: str
    index: int
    segmentation: Any
    crowd: bool


@dataclass(frozen=True, slots=True)
class Item:
    """One photograph, not decoded yet."""

    name: str
    image: Path
    labels: Path | None = None
    objects: tuple[CocoObject, ...] = ()
    captions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Folder:
    """A set of photographs.

    Attributes:
        kind: which set.
        items: its photographs, ordered by name.
        classes: name of every value of `Scene.semantic`; empty if the set has none.
    """

    kind: Kind
    items: tuple[Item, ...]
    classes: tuple[str, ...] = ()

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
        if item.labels is not None:
            return self._from_index_map(item, image)
        return self._from_objects(item, image)

    def _from_index_map(self, item: Item, image: np.ndarray) -> Scene:
        assert item.labels is not None
        try:
            index = read_index(item.labels, "a picture of labels")
        except ValueError as error:
            raise UsageError(f"{item.labels}: {error}") from None
        if index.shape != image.shape[:2]:
            raise UsageError(f"{item.labels}: size differs from {item.image.name}")
        camvid = self.kind == "camvid"
        values, places = np.unique(index, return_counts=True)
        counts = dict(zip(values.tolist(), places.tolist(), strict=True))
        strange = counts.keys() - {*range(len(self.classes)), IGNORE} - ({CAMVID_UNLABELLED} if camvid else set())
        if strange:
            raise UsageError(f"{item.labels}: the value {min(strange)} has no class")
        things, slivers = [], []
        for value, label in enumerate(self.classes):
            if value not in counts or (value == 0 and not camvid):
                continue
            if counts[value] < MIN_SHARE * index.size:
                slivers.append(label)
            else:
                things.append(Thing(label, index == value, camvid and label in CAMVID_STUFF))
        semantic = np.where(index == CAMVID_UNLABELLED, np.uint8(IGNORE), index) if camvid else index
        return Scene(item.name, self.kind, image, tuple(things), semantic=semantic, slivers=tuple(slivers))

    def _from_objects(self, item: Item, image: np.ndarray) -> Scene:
        height, width = image.shape[:2]
        decoded = [(entry, _decode(entry, height, width, item.image)) for entry in item.objects]
        things = tuple(Thing(entry.label, mask) for entry, mask in decoded if not entry.crowd and mask.any())
        crowds = tuple(sorted({entry.label for entry in item.objects if entry.crowd}))
        semantic = None
        if self.kind == "coco":
            semantic = np.zeros((height, width), np.uint8)
            # Crowds first, then large to small: what is drawn later is in front.
            for entry, mask in sorted(decoded, key=lambda pair: (not pair[0].crowd, -np.count_nonzero(pair[1]))):
                semantic[mask] = IGNORE if entry.crowd else entry.index
        return Scene(item.name, self.kind, image, things, item.captions, semantic, crowds)


def ccp(root: Path, split: str) -> Folder:
    """Clothing Co-Parsing: one fashion photograph of one person, a class index per pixel."""
    return _index_map_folder("ccp", root, split, drop=0)


def camvid(root: Path, split: str) -> Folder:
    """CamVid: street scenes, a class index per pixel; the last name is the unlabelled one."""
    return _index_map_folder("camvid", root, split, drop=1)


def coco(root: Path, split: str) -> Folder:
    """COCO: every object of 80 classes; some photographs have captions."""
    folder = root / "coco" / split
    instances = _read(folder / "instances.json", named=True)
    classes = _classes(instances)
    if len(classes) > IGNORE:
        raise UsageError(f"{folder / 'instances.json'}: more than {IGNORE - 1} classes")
    return Folder("coco", _coco_items(folder, instances, classes), classes)


def captioned(root: Path) -> Folder:
    """COCO photographs of which only captions are known."""
    folder = root / "coco" / "captioned"
    captions = _read(folder / "captions.json")
    told = _captions(folder / "captions.json", captions)
    items = [
        Item(image.file_name, _image(folder, image), captions=tuple(told[image.id]))
        for image in captions.images
        if image.id in told
    ]
    return Folder("captions", _sorted(items))


def one_person(root: Path) -> Folder:
    """COCO photographs with captions and ONE person's polygon; whatever else they show is not annotated."""
    folder = root / "coco" / "captioned"
    people = _read(folder / "one_person.json", named=True)
    items = _coco_items(folder, people, _classes(people))
    return Folder("person", tuple(item for item in items if item.objects))


def training_folders(root: Path) -> tuple[Folder, ...]:
    """Every set that training draws from."""
    return ccp(root, "train"), camvid(root, "train"), coco(root, "train"), one_person(root), captioned(root)


def _index_map_folder(kind: Kind, root: Path, split: str, *, drop: int) -> Folder:
    names = root / kind / "classes.txt"
    if not names.is_file():
        raise UsageError(f"{names}: no such list of classes")
    classes = tuple(name for line in read_lines(names) for name in line.split())
    folder = root / kind / split
    if not (folder / "images").is_dir():
        raise UsageError(f"{folder / 'images'}: no such folder")
    items = [
        Item(path.name, path, folder / "labels" / f"{path.stem}.png")
        for path in (folder / "images").iterdir()
        if path.suffix == ".jpg"
    ]
    return Folder(kind, _sorted(items), classes[: len(classes) - drop])


def _classes(file: CocoFile) -> tuple[str, ...]:
    """The background and the names in the order of their ids."""
    ordered = sorted(file.categories, key=lambda category: (isinstance(category.id, str), category.id))
    return ("background", *dict.fromkeys(category.name for category in ordered))


def _coco_items(folder: Path, instances: CocoFile, classes: Sequence[str]) -> tuple[Item, ...]:
    told = _captions(folder / "captions.json", instances)
    return _sorted(
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


def _read(path: Path, *, named: bool = False) -> CocoFile:
    """A file of which every entry can be used.

    Raises:
        UsageError: if it is none.
    """
    skipped = Skipped()
    file = read_coco(path, skipped, named=named)
    for reason, _, (where, *_) in skipped.reasons():
        raise UsageError(f"{path.parent}: {where}: {reason}")
    return file


def _decode(entry: CocoObject, height: int, width: int, path: Path) -> np.ndarray:
    try:
        return rle.decode(coco_to_rle(entry.segmentation, height, width))
    except ValueError as error:
        raise UsageError(f"{path}: the annotation of a {entry.label}: {error}") from None


def _sorted(items: Iterable[Item]) -> tuple[Item, ...]:
    return tuple(sorted(items, key=lambda item: item.name))
