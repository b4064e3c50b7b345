"""COCO's compressed run lengths in numpy.

Runs of background and foreground by turns, column by column. From the fourth on, a run is written as the difference to
the one two before it; a number is written in groups of five bits, low ones first, each a character from `0` on: bit 5
says that more follow, bit 4 of the last one is the sign.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

_GROUPS = 7  # of five bits, in the longest number


def encode(masks: np.ndarray) -> list[dict[str, Any]]:
    """Masks `(H, W, N)` uint8."""
    height, width, count = masks.shape
    return [_stored(_runs(masks[..., number].T.ravel()), height, width) for number in range(count)]


def decode(mask: Mapping[str, Any]) -> np.ndarray:
    """`(H, W)` uint8."""
    height, width = mask["size"]
    runs = _unpacked(mask["counts"])
    return np.repeat(np.arange(len(runs)) % 2, runs).astype(np.uint8).reshape(width, height).T


def frPyObjects(mask: Mapping[str, Any], height: int, width: int) -> dict[str, Any]:
    """Compress the run lengths of `mask["counts"]`."""
    return _stored(np.asarray(mask["counts"], np.int64), height, width)


def area(mask: Mapping[str, Any]) -> int:
    """Pixels of the foreground."""
    return int(_unpacked(mask["counts"])[1::2].sum())


def toBbox(mask: Mapping[str, Any]) -> np.ndarray:
    """`x, y, width, height` of the box around the foreground; zeros without any."""
    height = mask["size"][0]
    runs = _unpacked(mask["counts"])
    ends = np.cumsum(runs)[1::2]
    starts = ends - runs[1::2]
    starts, last = starts[starts < ends], ends[starts < ends] - 1
    if not len(starts):
        return np.zeros(4)
    left, right = starts[0] // height, last[-1] // height
    # A run that goes on in the next column touches both edges.
    whole = (starts // height != last // height).any()
    top, bottom = (0, height - 1) if whole else ((starts % height).min(), (last % height).max())
    return np.array([left, top, right - left + 1, bottom - top + 1], np.float64)


def _runs(pixels: np.ndarray) -> np.ndarray:
    changes = np.flatnonzero(np.diff(pixels, prepend=0))
    return np.diff(changes, prepend=0, append=len(pixels))


def _stored(runs: np.ndarray, height: int, width: int) -> dict[str, Any]:
    return {"size": [height, width], "counts": _packed(runs)}


def _packed(runs: np.ndarray) -> bytes:
    left = runs.copy()
    left[3:] -= runs[1:-2]
    written = np.zeros((len(runs), _GROUPS), np.uint8)
    going_on = np.ones(len(runs), bool)
    for group in range(_GROUPS):
        bits, left = left & 31, left >> 5
        more = left != np.where(bits & 16, -1, 0)
        written[going_on, group] = (bits + 32 * more + 48)[going_on]
        going_on &= more
    return written[written > 0].tobytes()


def _unpacked(counts: bytes) -> np.ndarray:
    groups = np.frombuffer(counts, np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero(groups < 32)
    starts = np.concatenate([[0], ends[:-1] + 1])
    sizes = ends - starts + 1
    shifts = 5 * (np.arange(len(groups)) - np.repeat(starts, sizes))
    runs = np.add.reduceat((groups & 31) << shifts, starts)
    runs -= np.where(groups[ends] & 16, 1 << 5 * sizes, 0)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs
