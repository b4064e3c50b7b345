"""IoU of run-length masks, and greedy one-to-one matching over an IoU matrix.

Legend: `N` row masks, `M` column masks.
Source: the mIoU rule of the GLaMM and MGLMM evaluations (arXiv 2311.03356, 2409.13407).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from engine.records import RLE

Pair = tuple[int, int]
"""Row and column of an IoU matrix."""


def iou_matrix(rows: Sequence[RLE], columns: Sequence[RLE], *, empty: float = float("nan")) -> NDArray[np.float64]:
    """`|A and B| / |A or B|` of every row mask with every column mask, exact up to one division.

    Args:
        rows: N masks.
        columns: M masks.
        empty: the value for two masks without a pixel. The official scripts divide 0 by 0 there, hence NaN;
            0 says that an empty mask grounds nothing.

    Returns:
        `[N x M]`, also when N or M is 0.

    Raises:
        ValueError: if the masks are not all of one size.
    """
    sizes = {(rle.height, rle.width) for rle in (*rows, *columns)}
    if len(sizes) > 1:
        listed = ", ".join(f"{height}x{width}" for height, width in sorted(sizes))
        raise ValueError(f"masks of different sizes (height x width): {listed}")
    if not rows or not columns:
        return np.zeros((len(rows), len(columns)), dtype=np.float64)
    coded_rows = [rle.to_coco() for rle in rows]
    coded_columns = [rle.to_coco() for rle in columns]
    iou = np.array(coco_mask.iou(coded_rows, coded_columns, [0] * len(columns)), dtype=np.float64)
    # One at a time: pycocotools counts the masks of a list in eight bits.
    blank_rows = np.array([coco_mask.area(mask) for mask in coded_rows]) == 0
    blank_columns = np.array([coco_mask.area(mask) for mask in coded_columns]) == 0
    iou[np.ix_(blank_rows, blank_columns)] = empty  # pycocotools says 0 here, whatever the caller wants
    return iou


def greedy_pairs(iou: NDArray[np.float64]) -> tuple[Pair, ...]:
    """Take the largest entry, strike its row and column, and repeat while the largest is above 0.

    Among equal entries the first in row-major order wins. A NaN counts as the largest entry and is not above 0,
    so it ends the matching: that is what the official script does with two empty masks.

    Args:
        iou: `[N x M]`; not changed.

    Returns:
        The taken (row, column) pairs, by falling IoU.
    """
    left = np.array(iou, dtype=np.float64)
    pairs: list[Pair] = []
    while left.size:
        row, column = np.unravel_index(int(np.argmax(left)), left.shape)
        if not left[row, column] > 0:
            break
        pairs.append((int(row), int(column)))
        left[row, :] = -1.0
        left[:, column] = -1.0
    return tuple(pairs)
