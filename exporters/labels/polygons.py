"""Outlines of masks along the edges of their pixels, so that what they enclose is the mask and nothing else.

Scripts that go from one pixel's middle to the next lose half a pixel all around. A point `x, y` is the corner of a
pixel: the mask of the first pixel alone has the outline (0, 0), (1, 0), (1, 1), (0, 1).

Legend: `K` is a number of points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from engine.masks.rle import bbox, decode
from engine.records import RLE

_FOUR = ndimage.generate_binary_structure(2, 1)


@dataclass(frozen=True, slots=True)
class Part:
    """A connected part of a mask; pixels that only touch at a corner are not connected.

    Attributes:
        outline: int64 or float64 `(K, 2)` of x, y in pixels, not closed.
        holes: such outlines.
    """

    outline: np.ndarray
    holes: tuple[np.ndarray, ...]

    @property
    def joined(self) -> np.ndarray:
        """One outline, to the holes over seams of no width: what fills by turns leaves them open."""
        return bridged([self.outline, *self.holes])


def outlines(rle: RLE, simplify: float = 0.0) -> list[Part]:
    """The parts of a mask, from top to bottom; none if it has no pixel.

    Args:
        rle: the mask.
        simplify: pixels by which an outline may be off, for fewer points (Douglas-Peucker, with parts and holes apart
            as they were); 0 keeps every pixel's edge.
    """
    x, y, width, height = map(int, bbox(rle))
    if not width:
        return []
    pixels = np.pad(decode(rle)[y : y + height, x : x + width], 1)
    numbers, _ = ndimage.label(pixels, _FOUR)
    around: dict[int, np.ndarray] = {}
    holes: dict[int, list[np.ndarray]] = {}
    offset = np.array([x, y])
    for ring in _rings(pixels):
        left, top = ring[0]
        # A ring begins at its top left corner: below lies the part, or above a hole.
        if part := int(numbers[top + 1, left + 1]):
            around[part] = ring + offset
        else:
            holes.setdefault(int(numbers[top, left + 1]), []).append(ring + offset)
    parts = [Part(ring, tuple(holes.get(part, ()))) for part, ring in around.items()]
    return [_simpler(part, simplify) for part in parts] if simplify > 0 else parts


def bridged(rings: Sequence[np.ndarray]) -> np.ndarray:
    """One outline `(K, 2)` of several, each joined to those before by a seam of no width at the nearest points."""
    path = rings[0]
    for ring in rings[1:]:
        from_path = np.square(path[:, None, :].astype(float) - ring[None]).sum(axis=2)
        at, start = np.unravel_index(from_path.argmin(), from_path.shape)
        turned = np.roll(ring, -int(start), axis=0)
        path = np.concatenate([path[: at + 1], turned, turned[:1], path[at:]])
    return path


def _rings(pixels: np.ndarray) -> list[np.ndarray]:
    """All outlines of `(H, W)` bool with an empty frame, which is not counted: each `(K, 2)`, from its top left corner.

    A corner has one edge to the side and one up or down; where two pixels touch at a corner there are two of them.
    Along a line the corners are the ends of edges by turns.
    """
    top_left, top_right, low_left, low_right = pixels[:-1, :-1], pixels[:-1, 1:], pixels[1:, :-1], pixels[1:, 1:]
    odd = top_left ^ top_right ^ low_left ^ low_right
    falling = top_left & low_right & ~top_right & ~low_left
    rising = top_right & low_left & ~top_left & ~low_right
    found, right, down = [np.argwhere(odd)], [np.zeros(odd.sum(), int)], [np.zeros(odd.sum(), int)]
    for touching, downs in ((falling, (0, 1)), (rising, (1, 0))):
        for to_right in (0, 1):
            found.append(np.argwhere(touching))
            right.append(np.full(len(found[-1]), to_right))
            down.append(np.full(len(found[-1]), downs[to_right]))
    rows, columns = np.concatenate(found).T
    rightward, downward = np.concatenate(right), np.concatenate(down)
    by_row, by_column = np.lexsort((rightward, columns, rows)), np.lexsort((downward, rows, columns))
    beside, across = np.empty(len(rows), int), np.empty(len(rows), int)
    for other, order in ((beside, by_row), (across, by_column)):
        other[order[0::2]], other[order[1::2]] = order[1::2], order[0::2]
    seen = bytearray(len(rows))
    to_side, to_below = beside.tolist(), across.tolist()
    rings = []
    for start in by_row.tolist():
        if seen[start]:
            continue
        ring, corner = [], start
        while not seen[corner]:
            side = to_side[corner]
            seen[corner] = seen[side] = 1
            ring += [corner, side]
            corner = to_below[side]
        rings.append(np.stack([columns[ring], rows[ring]], axis=1))
    return rings


def _simpler(part: Part, distance: float) -> Part:
    import shapely  # takes a while, and few need it

    shape = shapely.simplify(shapely.Polygon(part.outline, part.holes), distance, preserve_topology=True)
    if shape.is_empty:
        return part
    holes = tuple(np.asarray(hole.coords)[:-1] for hole in shape.interiors)
    return Part(np.asarray(shape.exterior.coords)[:-1], holes)
