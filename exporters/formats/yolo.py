"""Ultralytics YOLO's segmentation: a row a mask, corners as shares of the photograph's sides.

Source: docs.ultralytics.com, "Instance Segmentation Datasets Overview".
"""

from __future__ import annotations

import numpy as np
import yaml

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
    # A training must not read new labels by the classes of an export before.
    (export.folder / "data.yaml").unlink(missing_ok=True)
    for photo in export.photos():
        split = "val" if share(photo.image["file_name"]) < border else "train"
        place = f"{split}/{export.names.stem(photo.image['file_name'])}"
        export.image(photo, f"images/{place}")
        rows = [
            f"{numbers[entry['category_id']]} {_corners(label, photo, export.dataset.choice.simplify)}\n"
            for label, entry in zip(photo.labels, photo.annotations, strict=True)
        ]
        export.write(f"labels/{place}.txt", "".join(rows).encode("ascii"))
    # With one photograph there is nothing to keep apart.
    val = "val" if len(shares) > 1 else ("val" if shares and shares[0] < border else "train")
    train = "train" if len(shares) > 1 else val
    data = {
        "path": str(export.folder.resolve()),
        "train": f"images/{train}",
        "val": f"images/{val}",
        "names": {numbers[number]: name for number, name in export.categories.items()},
    }
    export.write("data.yaml", yaml.safe_dump(data, allow_unicode=True, sort_keys=False).encode())


def _corners(label: Label, photo: Photo, simplify: float) -> str:
    """One outline of all parts and holes, over seams of no width; what fills by turns leaves the holes open."""
    rings = [ring for part in outlines(label.rle, simplify) for ring in (part.outline, *part.holes)]
    shares = bridged(rings) / [photo.image["width"], photo.image["height"]]
    return " ".join(f"{number:.6g}" for number in shares.ravel().tolist())
