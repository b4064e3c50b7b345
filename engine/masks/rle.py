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
