"""Boundary IoU: how well the outlines of two masks agree, whatever their size.

Source: Boundary IoU (arXiv 2103.16562): the IoU of the parts of two masks that lie within a distance of their outlines;
2 % of the frame's diagonal, in the published code's way of counting: a square of so many pixels to each side.
"""

from __future__ import annotations

import math

import numpy as np

from engine.masks.rle import decode
from engine.records import RLE

SHARE = 0.02
"""Of the diagonal."""


def boundary_iou(first: RLE, second: RLE) -> float:
    """Of two masks of one size; 0 if neither has a pixel.

    Raises:
        ValueError: if their sizes differ.
    """
    if (first.height, first.width) != (second.height, second.width):
        raise ValueError(
            f"masks of different sizes (height x width): {first.height}x{first.width}, {second.height}x{second.width}"
        )
    reach = max(1, round(SHARE * math.hypot(first.height, first.width)))
    ours, other = boundary(decode(first), reach), boundary(decode(second), reach)
    either = np.count_nonzero(ours | other)
    return np.count_nonzero(ours & other) / either if either else 0.0


def boundary(mask: np.ndarray, reach: int) -> np.ndarray:
    """The pixels of a mask `(H, W)` bool within `reach` rows and columns of one outside of it, or of the edge."""
    padded = np.pad(mask, reach).astype(np.int32)
    side = 2 * reach + 1
    sums = np.pad(padded.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    edge: np.ndarray = mask & (inside < side * side)
    return edge
