"""COCO panoptic, or any set of its layout.

annotations/panoptic_val2017.json, annotations/panoptic_val2017/*.png, val2017/*.jpg
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.json_file import read_json
from engine.text.prompts import Task
from trainer.benchmarks.benchmark import Question
from trainer.benchmarks.entries import below, each, identity, listed, photograph, text, whole
from trainer.benchmarks.maps import Category, Maps, TrueMap
from trainer.data.formats.coco_file import first_of
from trainer.data.formats.photographs import Names
from trainer.data.formats.reading import field, flag
from trainer.metrics.panoptic import Segment


def open_panoptic(data: Path, split: str, images: Path | None, limit: int | None, *, instances: bool) -> Maps:
    """A split.

    Args:
        data: the folder of the set, or its annotation file, beside which lies the folder of the same name.
        split: which, such as `val`.
        images: folder of the photographs.
        limit: only the first so many.
        instances: whether answers tell objects apart.

    Raises:
        UsageError: if the file is missing or malformed.
    """
    root = data if data.is_dir() else data.parent
    names = (f"annotations/panoptic_{split}2017.json", f"panoptic_{split}2017.json")
    path = root / first_of(root, *names) if data.is_dir() else data
    folder = images or next((root / one for one in (f"{split}2017", "images") if (root / one).is_dir()), root)
    content = read_json(path)
    categories = each(path, "categories", listed(path, content, "categories"), _category)
    known = {category.id for category in categories}
    if len(known) < len(categories):
        raise UsageError(f"{path}: two categories have the same id")
    files = dict(each(path, "images", listed(path, content, "images"), partial(_file, Names(folder))))
    questions: list[Question] = []
    maps: dict[str, TrueMap] = {}

    def add(annotation: Any) -> None:
        image_id = identity(annotation, "image_id")
        picture = below(path.with_suffix(""), annotation, "file_name")
        segments = tuple(_segment(one) for one in field(annotation, "segments_info", list))
        if strange := [one.category for one in segments if one.category not in known]:
            raise ValueError(f"{picture.name}: unknown category {strange[0]}")
        if image_id not in files:
            raise ValueError(f"{picture.name}: no image {image_id}")
        if image_id in maps:
            raise ValueError(f"image {image_id} for the second time")
        questions.append(Question(image_id, files[image_id], Task.SEMANTIC))
        maps[image_id] = TrueMap(picture, segments)

    each(path, "annotations", listed(path, content, "annotations")[:limit], add)
    return Maps(questions, maps, categories, instances=instances)


def _category(entry: Any) -> Category:
    return Category(whole(entry, "id"), text(entry, "name"), flag(entry, "isthing", missing=True))


def _file(names: Names, entry: Any) -> tuple[str, Path]:
    return identity(entry, "id"), photograph(names, entry, "file_name")


def _segment(entry: Any) -> Segment:
    identity, category = whole(entry, "id"), whole(entry, "category_id")
    area = whole(entry, "area") if "area" in entry else None
    return Segment(identity, category, flag(entry, "iscrowd"), area)
