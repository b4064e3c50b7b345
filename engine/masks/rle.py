"""Binary masks to and from COCO's compressed run-length encoding.

Legend: N masks of H x W pixels. Source: the COCO API, `pycocotools.mask`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from engine.records import RLE

_LONGEST_NUMBER = 7
"""Groups of five bits in the longest number: all that a run of 32 bits and its sign can need."""


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
        ValueError: if the counts are no run lengths, or do not fill the mask.
    """
    # pycocotools gives back memory that was never written for counts that end early.
    run_lengths(rle)
    pixels: np.ndarray = coco_mask.decode(_native(rle))
    return pixels.view(np.bool_)


def run_lengths(rle: RLE) -> np.ndarray:
    """Lengths of the runs, background and foreground by turns, column by column.

    A number is written in groups of five bits, low ones first, each a character from `0` on; bit 5 says that more
    follow, and bit 4 of the last one is the sign. From the fourth number on it is the difference to the run two before.

    Returns:
        int64, not negative; their sum is `height * width`.

    Raises:
        ValueError: if the counts are no run lengths, or do not fill the mask.
    """
    groups = np.frombuffer(rle.counts.encode("ascii"), np.uint8).astype(np.int64) - 48
    if len(groups) and (groups.min() < 0 or groups.max() > 63 or groups[-1] > 31):
        raise ValueError("counts that are no run lengths")
    ends = np.flatnonzero(groups < 32)
    starts = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64)[: len(ends)]
    sizes = ends - starts + 1
    if (sizes > _LONGEST_NUMBER).any():
        raise ValueError("counts that are no run lengths")
    shift = 5 * (np.arange(len(groups)) - np.repeat(starts, sizes))
    runs = np.add.reduceat((groups & 31) << shift, starts) if len(ends) else groups
    runs = np.where(groups[ends] & 16, runs - (1 << 5 * sizes), runs)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    if min(rle.height, rle.width) < 1 or (runs < 0).any() or int(runs.sum()) != rle.height * rle.width:
        raise ValueError(f"counts that do not fill a mask of {rle.width} x {rle.height} pixels")
    return runs


def area(rle: RLE) -> int:
    """Number of pixels of the mask."""
    return int(coco_mask.area(_native(rle)))


def bbox(rle: RLE) -> tuple[float, float, float, float]:
    """`x, y, width, height` in pixels of the box around the mask; zeros for an empty mask."""
    x, y, width, height = coco_mask.toBbox(_native(rle)).tolist()
    return x, y, width, height


def _native(rle: RLE) -> dict[str, Any]:
    return {"size": [rle.height, rle.width], "counts": rle.counts.encode("ascii")}
