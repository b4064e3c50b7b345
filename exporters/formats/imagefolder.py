"""What `datasets.load_dataset("imagefolder", data_dir=...)` opens.

Source: huggingface.co/docs/datasets, "Create an image dataset".
"""

from __future__ import annotations

from typing import Any

from engine.journal import dump
from exporters.formats.export import Export
from exporters.labels.dataset import Photo

_CAPTION = ("id", "granularity", "instruction", "caption", "parent")
_OBJECT = ("id", "category_id", "bbox", "area", "score", "phrase", "caption_id", "parent", "granularity")


def write(export: Export) -> None:
    """Write `metadata.jsonl` beside the photographs; the columns are the same in each row, whatever it holds.

    A `parent` that there is none of is 0, as lists of whole numbers with and without null don't become one column.
    """
    categories = export.categories
    with export.file("metadata.jsonl") as file:
        for photo in export.photos():
            name = export.image(photo, export.names.stem(photo.image["file_name"]))
            file.write(dump(_row(photo, name, categories)) + b"\n")


def _row(photo: Photo, name: str, categories: dict[int, str]) -> dict[str, Any]:
    objects: dict[str, list[Any]] = {key: [entry[key] for entry in photo.annotations] for key in _OBJECT}
    objects["parent"] = [number or 0 for number in objects["parent"]]
    objects["category"] = [categories[entry["category_id"]] for entry in photo.annotations]
    objects["segmentation"] = [entry["segmentation"] for entry in photo.annotations]
    return {
        "file_name": name,
        "image_id": photo.image["id"],
        "width": photo.image["width"],
        "height": photo.image["height"],
        "captions": [{**{key: one[key] for key in _CAPTION}, "parent": one["parent"] or 0} for one in photo.captions],
        "objects": objects,
    }
