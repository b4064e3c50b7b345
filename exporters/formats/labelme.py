"""LabelMe's JSON, one beside each photograph.

Source: github.com/wkentaro/labelme, the files that it saves.
"""

from __future__ import annotations

from typing import Any

from exporters.formats.export import Export, labelled
from exporters.labels.dataset import Photo
from exporters.labels.polygons import outlines

_VERSION = "5.5.0"
"""Of LabelMe, whose files these are like."""


def write(export: Export) -> None:
    """Write a JSON beside each photograph. The parts of a mask are polygons of one group; holes are joined by seams."""
    for photo in export.photos():
        stem = export.names.stem(photo.image["file_name"])
        image = export.image(photo, stem)
        export.write_json(
            f"{stem}.json",
            {
                "version": _VERSION,
                "flags": {},
                "shapes": _shapes(photo, export),
                "imagePath": image.rpartition("/")[2],
                "imageData": None,
                "imageHeight": photo.image["height"],
                "imageWidth": photo.image["width"],
            },
        )


def _shapes(photo: Photo, export: Export) -> list[dict[str, Any]]:
    shapes = []
    for label, entry in labelled(photo):
        parts = outlines(label.rle, export.dataset.choice.simplify)
        for part in parts:
            shapes.append(
                {
                    "label": export.categories[entry["category_id"]],
                    "points": part.joined.astype(float).tolist(),
                    "group_id": entry["id"] if len(parts) > 1 else None,
                    "description": entry["phrase"],
                    "shape_type": "polygon",
                    "flags": {},
                    "score": entry["score"],
                }
            )
    return shapes
