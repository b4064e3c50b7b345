"""Ultralytics YOLO's segmentation: a row a mask, corners as shares of the photograph's sides.

Source: docs.ultralytics.com, "Instance Segmentation Datasets Overview".
"""

from __future__ import annotations

import json

import numpy as np

from exporters.formats.export import Export
from exporters.formats.names import share
from exporters.labels.dataset import Photo
from exporters.labels.polygons import bridged, outlines
from exporters.labels.select import Label

_VAL = 0.1
"""Share of the photographs that are kept to measure with."""


def write(export: Export) -> None:
    """Write `images/`, `labels/`, each with `train/` and `val/`, and `data.yaml`.

    A photograph's split comes from its name alone, so it stays when others are added; if none falls to `val`, or all
    do, the one whose number is nearest does or does not, as training needs both.
    """
    numbers = {category: row for row, category in enumerate(export.categories)}
    shares = sorted(share(photo.image["file_name"]) for photo in export.photos())
    border = _VAL
    if len(shares) > 1:
        border = float(np.clip(border, np.nextafter(shares[0], 1), shares[-1]))
    for photo in export.photos():
        split = "val" if share(photo.image["file_name"]) < border else "train"
        place = f"{split}/{export.names.stem(photo.image['file_name'])}"
        export.image(photo, f"images/{place}")
        rows = [
            f"{numbers[entry['category_id']]} {_corners(label, photo, export.dataset.choice.simplify)}\n"
            for label, entry in zip(photo.labels, photo.annotations, strict=True)
        ]
        export.write(f"labels/{place}.txt", "".join(rows).encode("ascii"))
    # Names in double quotes, as JSON has them, are YAML whatever they hold.
    names = "".join(f"  {numbers[number]}: {json.dumps(name)}\n" for number, name in export.categories.items())
    path = json.dumps(str(export.folder.resolve()))
    # With one photograph there is nothing to keep apart.
    val = "val" if len(shares) > 1 else ("val" if shares and shares[0] < border else "train")
    train = "train" if len(shares) > 1 else val
    text = f"path: {path}\ntrain: images/{train}\nval: images/{val}\nnames:\n{names}"
    export.write("data.yaml", text.encode())


def _corners(label: Label, photo: Photo, simplify: float) -> str:
    """One outline of all parts and holes, over seams of no width; what fills by turns leaves the holes open."""
    rings = [ring for part in outlines(label.rle, simplify) for ring in (part.outline, *part.holes)]
    shares = bridged(rings) / [photo.image["width"], photo.image["height"]]
    return " ".join(f"{number:.6g}" for number in shares.ravel().tolist())
