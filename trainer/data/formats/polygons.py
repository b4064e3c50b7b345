"""Polygons as annotation tools leave them: one that is none must not take the rest of its object along.

Legend: `height x width` pixels of the upright photograph; a ring is the outline `x, y, x, y, ...` of one piece.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from engine.masks.rle import MAX_PIXELS
from engine.records import RLE

_LONGEST = 10_000_000
"""Pixels along a ring. The rasteriser takes memory for every step of the way, inside the frame or not."""

Note = Callable[[str], None]
"""Gets what is left out of an object that is used."""


def ignore(_: str) -> None:
    """A `Note` that nobody reads."""


def polygons_to_rle(polygons: Sequence[Any], height: int, width: int, note: Note = ignore) -> RLE:
    """One mask of the rings of an object.

    Args:
        polygons: its rings, or a single one as it is.
        note: told why a ring is left out, where others are good.

    Raises:
        ValueError: if no ring is good; says why of the first.
    """
    if height * width > MAX_PIXELS:
        raise ValueError(f"a mask of more than {MAX_PIXELS / 1e6:.0f} megapixels")
    given = [polygons] if polygons and all(_is_number(value) for value in polygons) else polygons
    if not given:
        raise ValueError("no polygon")
    rings: list[np.ndarray] = []
    faults: list[str] = []
    for ring in given:
        try:
            rings.append(_ring(ring, height, width))
        except ValueError as error:
            faults.append(str(error))
    if not rings:
        raise ValueError(faults[0])
    for fault in faults:
        note(f"{fault}; the rest of its object is used")
    merged = coco_mask.merge(coco_mask.frPyObjects([ring.ravel().tolist() for ring in rings], height, width))
    return RLE(height, width, merged["counts"].decode("ascii"))


def _ring(ring: Any, height: int, width: int) -> np.ndarray:
    """The points of a ring, `(n, 2)`.

    Raises:
        ValueError: if it is none, or nothing to draw.
    """
    try:
        numbers = np.asarray(ring if isinstance(ring, list | tuple) else None)
    except ValueError:  # lists in a list
        numbers = np.empty((0, 0))
    if numbers.dtype.kind == "O" and numbers.ndim == 1 and all(_is_number(value) for value in ring):
        numbers = np.full(len(ring), np.inf)  # a number of more digits than any coordinate has
    if numbers.ndim != 1 or numbers.dtype.kind not in "iuf":
        raise ValueError("a polygon that is not a list of numbers")
    if len(numbers) % 2:
        raise ValueError("a polygon with an odd number of coordinates")
    if len(numbers) < 6:
        raise ValueError("a polygon of fewer than three points")
    points = numbers.astype(np.float64).reshape(-1, 2)
    if np.isnan(points).any():
        raise ValueError("a polygon with a coordinate that is no number")
    size = np.array([width, height])
    if not ((points >= -size) & (points <= 2 * size)).all():
        raise ValueError("a polygon far outside the photograph")
    if np.abs(np.diff(points, axis=0, append=points[:1])).max(axis=1).sum() > _LONGEST:
        raise ValueError(f"a polygon with a way around of more than {_LONGEST / 1e6:.0f} million pixels")
    if _is_flat(points):
        raise ValueError("a polygon without area, all points on a line")
    return points


def _is_flat(points: np.ndarray) -> bool:
    """Whether all points lie on one line, give or take what rounding leaves."""
    way = points - points[0]
    farthest = way[np.abs(way).sum(axis=1).argmax()]
    across = np.abs(way[:, 0] * farthest[1] - way[:, 1] * farthest[0])
    return bool((across <= 1e-9 * np.abs(farthest).sum() ** 2).all())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
