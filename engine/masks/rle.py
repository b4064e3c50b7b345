"""Binary masks to and from COCO's compressed run-length encoding, and the one reader of masks that others have written.

`pycocotools` believes what it is given: counts that don't fill their size make it loop for ever or write past its
memory. What comes from a file passes `from_coco` first, and what passes is safe for it.

Legend: N masks of H x W pixels. Source: the COCO API, `pycocotools.mask`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from engine.json_file import whole
from engine.records import RLE

_LONGEST_NUMBER = 7
"""Groups of five bits in the longest number: all that a run of 32 bits and its sign can need."""

_MOST_RUNS_TOGETHER = 1 << 16
"""A mask of more is looked at alone: all that are looked at together take the memory of the longest."""

MAX_PIXELS = 1 << 28
"""The largest mask that is read, 268 megapixels: a mask takes memory for its size, and a size is quickly claimed."""

_TOGETHER = 16
"""Masks that are looked at in one go."""

_MOST_PIXELS = (1 << 32) - 1
"""pycocotools counts in 32 bits."""


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


def from_coco(value: Any) -> RLE:
    """The mask that somebody has written, checked.

    Args:
        value: `{"size": [height, width], "counts": ...}`. The sides are whole numbers, also written as `240.0`. The
            counts are run lengths: a list of whole numbers, or compressed as text or bytes.

    Returns:
        The mask with its own size, which the caller compares. Runs of no pixel are gone.

    Raises:
        ValueError: if it is no mask, or one that lies about its size. The line holds nothing of this mask alone, so
            that equal faults can be counted together.
    """
    if not isinstance(value, Mapping) or "size" not in value or "counts" not in value:
        raise ValueError("a mask that is not an object with size and counts")
    height, width = _size(value["size"])
    counts = value["counts"]
    if isinstance(counts, list | tuple | np.ndarray):
        runs = _listed_runs(counts)
        _check_filled(runs, height, width)
        return _without_gaps(runs, height, width)
    rle = RLE(height, width, _text(counts))
    runs = run_lengths(rle)
    return rle if runs[1:].all() else _without_gaps(runs, height, width)


def from_coco_together(values: Sequence[Any]) -> list[RLE] | None:
    """`from_coco` of many compressed masks, in half the time.

    Returns:
        The masks; None if any of them needs the look of `from_coco`, which knows what is wrong with it, if anything is.
    """
    found: list[RLE] = []
    for start in range(0, len(values), _TOGETHER):
        some = values[start : start + _TOGETHER]
        if not all(isinstance(one, dict) and isinstance(one.get("counts"), str) for one in some):
            return None
        try:
            part = [RLE(*_size(one.get("size")), one["counts"]) for one in some]
        except ValueError:
            return None
        if not _all_fill(part):
            return None
        found += part
    return found


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
    return _compressed(counts, height, width)


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
    try:
        groups = np.frombuffer(rle.counts.encode("ascii"), np.uint8).astype(np.int64) - 48
    except UnicodeEncodeError:
        raise ValueError("counts with letters that are not ASCII") from None
    if not len(groups):
        raise ValueError("counts that are empty")
    if groups.min() < 0 or groups.max() > 63:
        raise ValueError("counts with a letter that no run length is written with")
    if groups[-1] > 31:
        raise ValueError("counts that are cut in the middle of a number")
    ends = np.flatnonzero(groups < 32)
    starts = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64)
    sizes = ends - starts + 1
    if (sizes > _LONGEST_NUMBER).any():
        raise ValueError("counts with a number that is too long for a run length")
    shift = 5 * (np.arange(len(groups)) - np.repeat(starts, sizes))
    runs = np.add.reduceat((groups & 31) << shift, starts)
    runs = np.where(groups[ends] & 16, runs - (1 << 5 * sizes), runs)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    _check_filled(runs, rle.height, rle.width)
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


def _size(value: Any) -> tuple[int, int]:
    sides = value.tolist() if isinstance(value, np.ndarray) else value
    pair = isinstance(sides, list | tuple) and len(sides) == 2
    height, width = map(whole, sides) if pair else (None, None)
    if height is None or width is None:
        raise ValueError("a mask whose size is not two whole numbers")
    if height < 1 or width < 1:
        raise ValueError("a mask of no size")
    if height * width > MAX_PIXELS:
        raise ValueError(f"a mask of more than {MAX_PIXELS / 1e6:.0f} megapixels")
    return height, width


def _text(counts: Any) -> str:
    if isinstance(counts, bytes):
        return counts.decode("ascii", "replace")
    if not isinstance(counts, str):
        raise ValueError("a mask whose counts are neither text nor a list of numbers")
    if counts.startswith(("b'", 'b"')):
        raise ValueError("counts that are what Python prints for bytes (b'...'): decode them before they are written")
    return counts


def _listed_runs(counts: Any) -> np.ndarray:
    if not len(counts):
        raise ValueError("counts that are empty")
    try:
        runs = np.asarray(counts)
    except ValueError:  # lists in lists
        runs = np.empty(0)
    # Among numbers, True becomes 1.
    if (
        runs.ndim != 1
        or not all(isinstance(count, int | float | np.number) for count in counts)
        or bool in map(type, counts)
    ):
        raise ValueError("counts that are not whole numbers")
    if runs.dtype.kind == "O":  # more digits than any number of numpy has
        runs = np.asarray([float(max(-1, min(count, MAX_PIXELS + 1))) for count in counts])
    if runs.dtype.kind == "f" and not (np.isfinite(runs) & (runs == np.floor(runs))).all():
        raise ValueError("counts that are not whole numbers")
    # Longer than the largest mask is too long, whatever it was.
    return np.clip(runs, -1, MAX_PIXELS + 1).astype(np.int64)


def _check_filled(runs: np.ndarray, height: int, width: int) -> None:
    pixels = height * width
    if min(height, width) < 1:
        raise ValueError("a mask of no size")
    if pixels > _MOST_PIXELS:
        raise ValueError("a mask of more pixels than COCO's form can count")
    if (runs < 0).any():
        raise ValueError("counts with a negative run length")
    # A run that is too long by itself could make the sum of many wrap around.
    total = int(runs.sum()) if int(runs.max()) <= pixels else pixels + 1
    if total != pixels:
        raise ValueError(f"counts that {'end before they fill' if total < pixels else 'overfill'} the mask")


def _all_fill(rles: Sequence[RLE]) -> bool:
    """Whether masks are what `from_coco` would give back as they are; see `run_lengths` for the steps."""
    text = "".join([rle.counts for rle in rles])
    if not text.isascii() or not all(rle.counts for rle in rles):
        return False
    groups = np.frombuffer(text.encode("ascii"), np.uint8) - 48  # below "0" wraps around
    last = np.cumsum([len(rle.counts) for rle in rles]) - 1
    if groups.max() > 63 or groups[last].max() > 31:
        return False
    ends = np.flatnonzero(groups < 32)
    starts = np.concatenate([[0], ends[:-1] + 1])
    sizes = ends - starts + 1
    counts = np.diff(np.searchsorted(ends, last), prepend=-1)
    if sizes.max() > _LONGEST_NUMBER or counts.max() > _MOST_RUNS_TOGETHER:
        return False
    shift = 5 * (np.arange(len(groups)) - np.repeat(starts, sizes))
    numbers = np.add.reduceat((groups & 31).astype(np.int64) << shift, starts)
    numbers -= np.where(groups[ends] & 16, 1 << 5 * sizes, 0)
    # A row for each mask, with zeros behind its last run.
    there = np.arange(counts.max()) < counts[:, None]
    runs = np.zeros(there.shape, np.int64)
    runs[there] = numbers
    np.cumsum(runs[:, 1::2], axis=1, out=runs[:, 1::2])
    np.cumsum(runs[:, 2::2], axis=1, out=runs[:, 2::2])
    runs *= there
    pixels = np.array([rle.height * rle.width for rle in rles])
    if runs.min() < 0 or (runs.max(axis=1) > pixels).any() or (runs.sum(axis=1) != pixels).any():
        return False
    return bool((runs[:, 1:] > 0)[there[:, 1:]].all())


def _without_gaps(runs: np.ndarray, height: int, width: int) -> RLE:
    """The mask of run lengths that fill it, of which some may be 0: with these pycocotools unites wrongly."""
    places, times = np.unique(np.cumsum(runs)[:-1], return_counts=True)
    places = places[(times % 2 == 1) & (places < height * width)]
    return _compressed(np.diff(places, prepend=0, append=height * width), height, width)


def _compressed(runs: np.ndarray, height: int, width: int) -> RLE:
    encoded = coco_mask.frPyObjects({"size": [height, width], "counts": runs}, height, width)
    return RLE(height, width, encoded["counts"].decode("ascii"))
