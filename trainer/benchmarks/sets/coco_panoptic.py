"""COCO panoptic, or any set of its layout.

annotations/panoptic_val2017.json, annotations/panoptic_val2017/*.png, val2017/*.jpg
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.text.prompts import Task
from trainer.benchmarks.benchmark import Question
from trainer.benchmarks.maps import Category, Maps, TrueMap
from trainer.data.formats.coco_file import first_of
from trainer.data.formats.reading import field, read_json
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
    try:
        categories = [
            Category(field(one, "id", int), field(one, "name", str), bool(one.get("isthing", 1)))
            for one in field(content, "categories", list)
        ]
        files = {field(one, "id", int): field(one, "file_name", str) for one in field(content, "images", list)}
        questions: list[Question] = []
        maps: dict[str, TrueMap] = {}
        known = {category.id for category in categories}
        for annotation in field(content, "annotations", list)[:limit]:
            image_id, picture = field(annotation, "image_id", int), field(annotation, "file_name", str)
            segments = tuple(_segment(one) for one in field(annotation, "segments_info", list))
            if strange := [one.category for one in segments if one.category not in known]:
                raise ValueError(f"{picture}: unknown category {strange[0]}")
            if image_id not in files:
                raise ValueError(f"{picture}: no image {image_id}")
            questions.append(Question(str(image_id), folder / files[image_id], Task.SEMANTIC))
            maps[str(image_id)] = TrueMap(path.with_suffix("") / picture, segments)
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None
    return Maps(questions, maps, categories, instances=instances)


def _segment(entry: Any) -> Segment:
    identity, category = field(entry, "id", int), field(entry, "category_id", int)
    return Segment(identity, category, bool(entry.get("iscrowd", 0)), entry.get("area"))
