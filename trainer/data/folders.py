"""The layouts of the photograph sets: folders of images and annotations -> `Scene`.

Every set is read into light items (paths and raw annotation); `Folder.load` decodes one of them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from engine.errors import PhotographError, UsageError
from engine.images.decode import decode
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
        if not item.labels.is_file():
            raise UsageError(f"{item.labels}: no such label image")
        with Image.open(item.labels) as file:
            index = np.asarray(file)
        if index.shape != image.shape[:2]:
            raise UsageError(f"{item.labels}: size differs from {item.image.name}")
        camvid = self.kind == "camvid"
        counts = np.bincount(index.ravel(), minlength=256)
        things, slivers = [], []
        for value, label in enumerate(self.classes):
            if counts[value] == 0 or (value == 0 and not camvid):
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
    instances = _json(folder / "instances.json")
    captions = _captions(folder / "captions.json")
    categories = sorted(instances["categories"], key=lambda category: category["id"])
    classes = ("background", *(category["name"] for category in categories))
    index = {category["id"]: number for number, category in enumerate(categories, start=1)}
    return Folder("coco", _coco_items(folder, instances, captions, index, classes), classes)


def captioned(root: Path) -> Folder:
    """COCO photographs of which only captions are known."""
    folder = root / "coco" / "captioned"
    data = _json(folder / "captions.json")
    captions = _captions(folder / "captions.json")
    items = [
        Item(image["file_name"], folder / "images" / image["file_name"], captions=captions[image["id"]])
        for image in data["images"]
        if image["id"] in captions
    ]
    return Folder("captions", _sorted(items))


def one_person(root: Path) -> Folder:
    """COCO photographs with captions and ONE person's polygon; whatever else they show is not annotated."""
    folder = root / "coco" / "captioned"
    people = _json(folder / "one_person.json")
    classes = ("background", "person")
    items = _coco_items(folder, people, _captions(folder / "captions.json"), {1: 1}, classes)
    return Folder("person", tuple(item for item in items if item.objects))


def training_folders(root: Path) -> tuple[Folder, ...]:
    """Every set that training draws from."""
    return ccp(root, "train"), camvid(root, "train"), coco(root, "train"), one_person(root), captioned(root)


def _index_map_folder(kind: Kind, root: Path, split: str, *, drop: int) -> Folder:
    names = root / kind / "classes.txt"
    if not names.is_file():
        raise UsageError(f"{names}: no such list of classes")
    classes = tuple(names.read_text(encoding="utf-8").split())
    folder = root / kind / split
    if not (folder / "images").is_dir():
        raise UsageError(f"{folder / 'images'}: no such folder")
    items = [
        Item(path.name, path, folder / "labels" / f"{path.stem}.png")
        for path in (folder / "images").iterdir()
        if path.suffix == ".jpg"
    ]
    return Folder(kind, _sorted(items), classes[: len(classes) - drop])


def _coco_items(
    folder: Path,
    data: dict[str, Any],
    captions: dict[int, tuple[str, ...]],
    index: dict[int, int],
    classes: tuple[str, ...],
) -> tuple[Item, ...]:
    objects: dict[int, list[CocoObject]] = defaultdict(list)
    for entry in data["annotations"]:
        number = index[entry["category_id"]]
        crowd = bool(entry.get("iscrowd", 0))
        objects[entry["image_id"]].append(CocoObject(classes[number], number, entry["segmentation"], crowd))
    return _sorted(
        Item(
            image["file_name"],
            folder / "images" / image["file_name"],
            objects=tuple(objects[image["id"]]),
            captions=captions.get(image["id"], ()),
        )
        for image in data["images"]
    )


def _captions(path: Path) -> dict[int, tuple[str, ...]]:
    found: dict[int, list[str]] = defaultdict(list)
    for entry in _json(path)["annotations"]:
        found[entry["image_id"]].append(entry["caption"])
    return {image: tuple(texts) for image, texts in found.items()}


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path}: no such annotation file") from None
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}: not JSON ({error})") from None
    if not isinstance(data, dict):
        raise UsageError(f"{path}: not a COCO file")
    return data


def _decode(entry: CocoObject, height: int, width: int, path: Path) -> np.ndarray:
    stored = entry.segmentation
    if isinstance(stored, dict):
        if list(stored["size"]) != [height, width]:
            raise UsageError(f"{path}: size differs from its annotation")
        run = coco_mask.frPyObjects(stored, height, width) if isinstance(stored["counts"], list) else stored
    else:
        run = coco_mask.merge(coco_mask.frPyObjects(stored, height, width))
    return np.ascontiguousarray(coco_mask.decode(run)).astype(bool)


def _sorted(items: Iterable[Item]) -> tuple[Item, ...]:
    return tuple(sorted(items, key=lambda item: item.name))
