"""Reading a COCO-style file: images, categories, and annotations by image.

    {"images": [{"id": 7, "file_name": "a.jpg", "height": 480, "width": 640}],
     "categories": [{"id": 18, "name": "dog"}],
     "annotations": [{"id": 1, "image_id": 7, "category_id": 18, "segmentation": ..., "iscrowd": 0}]}

`segmentation` is a list of polygons, run lengths, or a list of run lengths. Files of captions have no categories;
annotations with `segments_info` have their categories in there. The size of an image may be missing.

Ids may be numbers on one side and text on the other. Categories of one name are one class. An entry that can't be used
is noted; one that makes the rest of the file uncertain ends the reading.

Source: https://cocodataset.org/#format-data
"""

from __future__ import annotations

import reprlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from engine.errors import UsageError
from engine.json_file import read_json
from engine.masks.rle import area
from engine.records import RLE
from trainer.data.formats.base import Skipped
from trainer.data.formats.ids import ById, Id, identity
from trainer.data.formats.photographs import Photograph
from trainer.data.formats.polygons import Note, ignore
from trainer.data.formats.reading import coco_to_rle, flag, integer


class Frame(Protocol):
    """What masks are drawn in; its size may not be known."""

    @property
    def height(self) -> int | None:
        """In pixels."""

    @property
    def width(self) -> int | None:
        """In pixels."""


@dataclass(frozen=True, slots=True)
class CocoImage:
    """An entry of `images`.

    Attributes:
        file_name: as the file has it.
        height, width: None where the file does not say.
        raw: the whole entry.
    """

    id: Id
    file_name: str
    height: int | None
    width: int | None
    raw: Mapping[str, Any]

    @property
    def size(self) -> tuple[int | None, int | None]:
        """Height and width."""
        return self.height, self.width


@dataclass(frozen=True, slots=True)
class CocoCategory:
    """An entry of `categories`.

    Attributes:
        name: without needless spaces; that of the first where others differ in the case of letters.
        raw: the whole entry.
    """

    id: Id
    name: str
    raw: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CocoAnnotation:
    """An entry of `annotations`.

    Attributes:
        image: id of its image, as that has it.
        category: its category's name; empty where that is not wanted, and for a picture of segments.
        crowd: it covers several objects that are not told apart.
        raw: the whole entry.
        fault: why it can't be used though it is known to be there; empty if it can.
    """

    id: Id
    image: Id
    category: str
    crowd: bool
    raw: Mapping[str, Any]
    fault: str = ""


@dataclass(frozen=True, slots=True)
class CocoFile:
    """A file.

    Attributes:
        name: how messages call it.
        images: in the file's order.
        categories: by id; none where they are not wanted.
        annotations: by image, in the file's order; an image without any has no key.
    """

    name: str
    images: tuple[CocoImage, ...]
    categories: ById[CocoCategory]
    annotations: Mapping[Id, tuple[CocoAnnotation, ...]]

    def masks(self, image: CocoImage, photograph: Photograph, skipped: Skipped) -> Iterator[tuple[CocoAnnotation, RLE]]:
        """The annotations of an image that have a mask; the others are noted."""
        for annotation in self.annotations.get(image.id, ()):
            where = f"{self.name}: annotation {annotation.id}"
            try:
                mask = mask_of(annotation, photograph, partial(skipped.remark, where))
            except ValueError as error:
                skipped.add(where, str(error))
            else:
                yield annotation, mask

    def images_by_id(self) -> ById[CocoImage]:
        """To look up what another file means."""
        return ById((image.id, image) for image in self.images)

    def annotations_by_id(self) -> ById[CocoAnnotation]:
        """To look up what another file means."""
        return ById((one.id, one) for group in self.annotations.values() for one in group)


def read_coco(path: Path, skipped: Skipped, *, named: bool = False) -> CocoFile:
    """Read a file.

    Args:
        skipped: gets the images and annotations that can't be used, and the annotations of what the file doesn't list.
        named: whether the categories are wanted; then there must be some, and each object must have one.

    Raises:
        UsageError: if it is missing, not JSON or not a COCO file, or two of its images or categories have one id.
    """
    data = read_json(path)
    if not isinstance(data, dict):
        raise UsageError(f"{path}: not a COCO file: an object with images and annotations was expected")
    images, unusable = _images(path, data, skipped)
    categories = _categories(path, data) if named else ById[CocoCategory](())
    by_id = ById((image.id, image) for image in images)
    annotations: dict[Id, list[CocoAnnotation]] = defaultdict(list)
    for place, entry in enumerate(_entries(path, data, "annotations")):
        key = identity(entry.get("id"))
        key = f"#{place}" if key is None else key
        where = f"{path.name}: annotation {key}"
        image = by_id.get(entry.get("image_id"))
        category = None
        if named and "segments_info" not in entry:
            category = categories.get(entry.get("category_id"))
            if category is None:
                skipped.add(*_unlisted(where, entry, "category_id", "its category is not among the categories"))
                continue
        if image is None:
            lost = unusable.get(entry.get("image_id")) is not None
            reason = "its image can't be used" if lost else "its image is not among the images"
            skipped.add(*_unlisted(where, entry, "image_id", reason))
            continue
        crowd, fault = False, ""
        try:
            crowd = flag(entry, "iscrowd")
        except ValueError as error:
            fault = str(error)
        name = category.name if category else ""
        annotations[image.id].append(CocoAnnotation(key, image.id, name, crowd, entry, fault))
    return CocoFile(path.name, images, categories, {image: tuple(found) for image, found in annotations.items()})


def mask_of(annotation: CocoAnnotation, frame: Frame, note: Note = ignore) -> RLE:
    """The mask of an annotation.

    Args:
        frame: its photograph, or its image where that has a size.
        note: told what is left out of an object whose polygons are not all good.

    Raises:
        ValueError: if it has none or an empty one, or its mask can't be read; says why.
    """
    if annotation.fault:
        raise ValueError(annotation.fault)
    stored = annotation.raw.get("segmentation")
    if not stored:
        raise ValueError("no mask")
    if frame.height is None or frame.width is None:
        raise ValueError("an image without a size")
    mask = coco_to_rle(stored, frame.height, frame.width, note)
    if not area(mask):
        raise ValueError("an empty mask")
    return mask


def first_of(root: Path, *names: str) -> str:
    """The first of these files or folders below `root` that is there.

    Raises:
        UsageError: if none is.
    """
    for name in names:
        if (root / name).exists():
            return name
    raise UsageError(f"{root}: no {' or '.join(names)} in it")


def _entries(path: Path, data: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    entries = data.get(key)
    if not isinstance(entries, list):
        raise UsageError(f"{path}: not a COCO file: no list {key!r}")
    for place, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise UsageError(f"{path}: entry {place} of {key}: not an object")
    return entries


def _images(path: Path, data: Mapping[str, Any], skipped: Skipped) -> tuple[tuple[CocoImage, ...], ById[bool]]:
    """The images that can be used, and the ids of the others."""
    images: dict[Id, CocoImage] = {}
    unusable: dict[Id, bool] = {}
    for place, entry in enumerate(_entries(path, data, "images")):
        key = identity(entry.get("id"))
        if key is None:
            skipped.add(*_unlisted(f"{path.name}: entry {place} of images", entry, "id", "an image without an id"))
            continue
        name = entry.get("file_name")
        try:
            if not isinstance(name, str) or not name.strip():
                raise ValueError("no file name")
            height, width = (_side(entry, side) for side in ("height", "width"))
        except ValueError as error:
            skipped.add(f"{path.name}: image {key} (file name: {_short(name)})", str(error))
            unusable[key] = True
            continue
        image = CocoImage(key, name, height, width, entry)
        known = images.setdefault(key, image)
        if known is not image:
            if (known.file_name, known.size) != (image.file_name, image.size):
                names = f"of {_short(known.file_name)} and of {_short(name)}"
                raise UsageError(f"{path}: entry {place} of images: id {key} for the second time, {names}")
            skipped.add(f"{path.name}: image {key}", "an image that is listed twice")
    return tuple(images.values()), ById(unusable.items())


def _side(entry: Mapping[str, Any], key: str) -> int | None:
    if entry.get(key) is None:
        return None
    side = integer(entry, key)
    if side < 1:
        raise ValueError("an image of no size")
    return side


def _categories(path: Path, data: Mapping[str, Any]) -> ById[CocoCategory]:
    found: dict[Id, CocoCategory] = {}
    spelled: dict[str, str] = {}
    for place, entry in enumerate(_entries(path, data, "categories")):
        where = f"{path}: entry {place} of categories"
        key, name = identity(entry.get("id")), entry.get("name")
        if key is None or not isinstance(name, str) or not name.strip():
            wrong = "id" if key is None else "name"
            what = f"{wrong!r} is {_short(entry[wrong])}" if wrong in entry else f"no {wrong!r}"
            raise UsageError(f"{where}: {what}")
        name = " ".join(name.split())
        category = CocoCategory(key, spelled.setdefault(name.casefold(), name), entry)
        known = found.setdefault(key, category)
        if known.name != category.name:
            names = f"once {_short(known.name)} and once {_short(name)}"
            raise UsageError(f"{where}: id {key} for the second time, {names}")
    return ById(found.items())


def _unlisted(where: str, entry: Mapping[str, Any], key: str, reason: str) -> tuple[str, str]:
    """Where an id is that stands for nothing, with the id as it is written, and why its entry is left out."""
    return (where, f"no {key!r}") if key not in entry else (f"{where} ({key}: {_short(entry[key])})", reason)


def _short(value: Any) -> str:
    return reprlib.repr(value)
