"""COCO panoptic: each pixel belongs to one thing at most.

Source: cocodataset.org, "Panoptic Segmentation"; a segment's id is R + 256 G + 65536 B of its pixels.

Legend: `H x W` is the upright photograph in pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from engine.journal import dump
from engine.masks.rle import decode
from exporters.formats.export import Export, labelled
from exporters.formats.lines import JsonList
from exporters.labels.dataset import Photo

_FOLDER = "annotations"
_MIX = 2654435761
"""Spreads counted numbers over the colours, so that neighbours look different."""


def write(export: Export) -> None:
    """Write `annotations/panoptic.json` and a PNG for each photograph into `annotations/panoptic/`.

    Smaller masks lie on top; masks of fine-grained answers, which are parts of others, are left out.
    """
    categories = [{**entry, "isthing": 1} for entry in export.dataset.categories]
    with export.file(f"{_FOLDER}/panoptic.json") as file:
        file.write(b'{"info":%b,\n"licenses":%b' % (dump(export.dataset.info), dump(export.dataset.licenses)))
        file.write(b',\n"categories":%b,\n"images":' % dump(categories))
        images = JsonList(file)
        annotations = []
        for photo in export.photos():
            images.add({**photo.image, "file_name": export.shown_name(photo)})
            annotations.append(dump(_write_png(export, photo)))
        images.end()
        file.write(b',\n"annotations":[\n' + b",\n".join(annotations) + b"\n]}\n")


def _write_png(export: Export, photo: Photo) -> dict[str, Any]:
    """Write the PNG of a photograph.

    Returns:
        its annotation.
    """
    pixels = np.zeros((photo.image["height"], photo.image["width"]), np.uint32)
    whole = [(label, entry) for label, entry in labelled(photo) if entry["granularity"] != "fine"]
    whole.sort(key=lambda pair: -pair[0].area)
    drawn = []
    for number, (label, entry) in enumerate(whole, start=1):
        segment = number * _MIX % (1 << 24) or number
        pixels[decode(label.rle).astype(bool)] = segment
        drawn.append((segment, entry))
    segments = [_segment(pixels == segment, segment, entry) for segment, entry in drawn]
    stem = export.names.stem(photo.image["file_name"])
    colours = np.stack([pixels & 255, pixels >> 8 & 255, pixels >> 16], axis=-1).astype(np.uint8)
    with export.file(f"{_FOLDER}/panoptic/{stem}.png") as file:
        Image.fromarray(colours).save(file, "PNG")
    return {
        "image_id": photo.image["id"],
        "file_name": f"{stem}.png",
        "segments_info": [segment for segment in segments if segment["area"]],
    }


def _segment(mask: np.ndarray, number: int, entry: dict[str, Any]) -> dict[str, Any]:
    """Args: `(H, W)` bool of the pixels that are left of it; its id; COCO's entry of the whole."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = [0, 0, 0, 0]
    if len(rows):
        box = [int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1)]
    return {
        "id": number,
        "category_id": entry["category_id"],
        "area": int(mask.sum()),
        "bbox": box,
        "iscrowd": entry["iscrowd"],
        "annotation_id": entry["id"],
    }
