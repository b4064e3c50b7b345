"""Binary masks to and from COCO's compressed run-length encoding.

Legend: N masks of H x W pixels. Source: the COCO API, `pycocotools.mask`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from engine.records import RLE


def encode(masks: np.ndarray) -> list[RLE]:
    """Encode masks.

    Args:
        masks: bool, `(N, H, W)`; N may be 0.

    Raises:
        ValueError: for another shape, another type or masks without pixels.
    """
    if masks.ndim != 3 or masks.dtype != np.bool_ or 0 in masks.shape[1:]:
        raise ValueError(f"masks must be bool (N, H, W), not {masks.dtype} {masks.shape}")
    if not len(masks):
        return []
    # (N, H, W) -> (H, W, N) with each mask column by column
    columns = np.asfortranarray(masks.transpose(1, 2, 0).view(np.uint8))
    height, width = masks.shape[1:]
    return [RLE(height, width, encoded["counts"].decode("ascii")) for encoded in coco_mask.encode(columns)]


def changes(columns: np.ndarray, left: int, top: int, height: int) -> np.ndarray:
    """Where a mask begins and ends, counted column by column over the whole frame.

    Args:
        columns: bool, `(columns, rows)`: all of the mask that lies in these columns.
        left, top: where they lie in the frame.
        height: of the frame.

    Returns:
        int64, rising: first pixels of runs, and between them the first pixels behind. A run that goes on from one
        column to the next ends and begins at the same place.
    """
    count, rows = columns.shape
    framed = np.zeros((count, rows + 2), bool)
    framed[:, 1:-1] = columns
    column, row = np.divmod(np.flatnonzero(framed[:, 1:] != framed[:, :-1]), rows + 1)
    return (column + left) * height + (row + top)


def from_changes(places: np.ndarray, height: int, width: int) -> RLE:
    """Encode the mask that begins and ends at `places`, those of `changes` from left to right."""
    same = places[1:] == places[:-1]
    keep = np.ones(len(places), bool)
    keep[1:] &= ~same
    keep[:-1] &= ~same
    counts = np.diff(places[keep], prepend=0, append=height * width)
    if len(counts) > 1 and not counts[-1]:
        counts = counts[:-1]
    encoded = coco_mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    return RLE(height, width, encoded["counts"].decode("ascii"))


def decode(rle: RLE) -> np.ndarray:
    """The mask as bool, `(H, W)`.

    Raises:
        ValueError: if the counts do not fill the mask.
    """
    pixels: np.ndarray = coco_mask.decode(_native(rle))
    return pixels.astype(np.bool_)


def area(rle: RLE) -> int:
    """Number of pixels of the mask."""
    return int(coco_mask.area(_native(rle)))


def bbox(rle: RLE) -> tuple[float, float, float, float]:
    """`x, y, width, height` in pixels of the box around the mask; zeros for an empty mask."""
    x, y, width, height = coco_mask.toBbox(_native(rle)).tolist()
    return x, y, width, height


def _native(rle: RLE) -> dict[str, Any]:
    return {"size": [rle.height, rle.width], "counts": rle.counts.encode("ascii")}
