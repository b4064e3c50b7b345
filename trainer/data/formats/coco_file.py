"""Reading a COCO-style file: images, categories, and annotations by image.

    {"images": [{"id": 7, "file_name": "a.jpg", "height": 480, "width": 640}],
     "categories": [{"id": 18, "name": "dog"}],
     "annotations": [{"id": 1, "image_id": 7, "category_id": 18, "segmentation": ..., "iscrowd": 0}]}

`segmentation` is a list of polygons, run lengths, or a list of run lengths. Files of captions have no categories;
annotations with `segments_info` have their categories in there.

Source: https://cocodataset.org/#format-data
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.masks.rle import area
from engine.records import RLE
from trainer.data.formats.base import Skipped
from trainer.data.formats.reading import coco_to_rle, image_size, read_json, union

Id = int | str


@dataclass(frozen=True, slots=True)
class CocoImage:
    """An entry of `images`.

    Attributes:
        file_name: as the file has it, with `/`.
        raw: the whole entry.
    """

    id: Id
    file_name: str
    height: int
    width: int
    raw: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CocoAnnotation:
    """An entry of `annotations`.

    Attributes:
        category: its category's name; empty in a file without categories, and for a picture of segments.
        crowd: it covers several objects that are not told apart.
        raw: the whole entry.
    """

    id: Id
    category: str
    crowd: bool
    raw: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CocoFile:
    """A file.

    Attributes:
        name: how messages call it.
        images: in the file's order.
        categories: whole entries by id; each has a `name`.
        annotations: by image, in the file's order; an image without any has no key.
    """

    name: str
    images: tuple[CocoImage, ...]
    categories: Mapping[Id, Mapping[str, Any]]
    annotations: Mapping[Id, tuple[CocoAnnotation, ...]]

    def masks(self, image: CocoImage, skipped: Skipped) -> Iterator[tuple[CocoAnnotation, RLE]]:
        """The annotations of an image that have a mask; the others are noted."""
        for annotation in self.annotations.get(image.id, ()):
            try:
                mask = mask_of(annotation, image)
            except ValueError as error:
                skipped.add(f"{self.name}: annotation {annotation.id}", str(error))
            else:
                yield annotation, mask


def read_coco(path: Path, skipped: Skipped) -> CocoFile:
    """Read a file.

    Args:
        skipped: gets the annotations of images or categories that the file doesn't list.

    Raises:
        UsageError: if it is missing, not JSON or not a COCO file; names the entry.
    """
    data = read_json(path)
    if not isinstance(data, dict):
        raise UsageError(f"{path}: not a COCO file")
    images: dict[Id, CocoImage] = {}
    for number, entry in enumerate(_entries(path, data, "images")):
        image = _image(f"{path}: entry {number} of images", entry)
        if image.id in images:
            raise UsageError(f"{path}: entry {number} of images: id {image.id} for the second time")
        images[image.id] = image
    categories: dict[Id, Mapping[str, Any]] = {}
    for number, entry in enumerate(_entries(path, data, "categories") if "categories" in data else []):
        where = f"{path}: entry {number} of categories"
        _value(where, entry, "name", str)
        categories[_value(where, entry, "id", int | str)] = entry
    annotations: dict[Id, list[CocoAnnotation]] = defaultdict(list)
    for number, entry in enumerate(_entries(path, data, "annotations")):
        where = f"{path}: entry {number} of annotations"
        image_id = _value(where, entry, "image_id", int | str)
        identity = _value(where, entry, "id", int | str) if "id" in entry else number
        category = ""
        if categories and "segments_info" not in entry:
            category_id = _value(where, entry, "category_id", int | str)
            if category_id not in categories:
                skipped.add(f"{path.name}: annotation {identity}", "its category is not among the categories")
                continue
            category = categories[category_id]["name"]
        if image_id not in images:
            skipped.add(f"{path.name}: annotation {identity}", "its image is not among the images")
            continue
        annotations[image_id].append(CocoAnnotation(identity, category, bool(entry.get("iscrowd", 0)), entry))
    grouped = {image: tuple(found) for image, found in annotations.items()}
    return CocoFile(path.name, tuple(images.values()), categories, grouped)


def mask_of(annotation: CocoAnnotation, image: CocoImage) -> RLE:
    """The mask of an annotation.

    Raises:
        ValueError: if it has none or an empty one, or its mask can't be read; says why.
    """
    stored = annotation.raw.get("segmentation")
    if not stored:
        raise ValueError("no mask")
    if isinstance(stored, list) and all(isinstance(piece, Mapping) for piece in stored):
        mask = union([coco_to_rle(piece, image.height, image.width) for piece in stored])
    else:
        mask = coco_to_rle(stored, image.height, image.width)
    if not area(mask):
        raise ValueError("an empty mask")
    return mask


def is_usable(root: Path, path: str, height: int, width: int, where: str, skipped: Skipped) -> bool:
    """Whether the photograph `root/path` is there and has the size of its annotation; noted if not."""
    try:
        found = image_size(root / path)
    except UsageError:
        reason = "its photograph is missing or broken"
    else:
        if found == (height, width):
            return True
        reason = "its photograph has another size than its annotation says"
    skipped.add(where, reason)
    return False


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
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise UsageError(f"{path}: entry {number} of {key}: not an object")
    return entries


def _image(where: str, entry: Mapping[str, Any]) -> CocoImage:
    height, width = (_value(where, entry, key, int) for key in ("height", "width"))
    if height <= 0 or width <= 0:
        raise UsageError(f"{where}: {height} x {width} is no size")
    name = _value(where, entry, "file_name", str)
    return CocoImage(_value(where, entry, "id", int | str), name, height, width, entry)


def _value(where: str, entry: Mapping[str, Any], key: str, kind: Any) -> Any:
    if key not in entry:
        raise UsageError(f"{where}: no {key!r}")
    if not isinstance(entry[key], kind):
        raise UsageError(f"{where}: {key!r} is {entry[key]!r}")
    return entry[key]
