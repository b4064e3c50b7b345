"""Outlines enclose the mask's pixels and no others, holes included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from engine.masks import rle
from engine.records import RLE
from exporters.labels.polygons import bridged, outlines


def encoded(rows: list[str]) -> RLE:
    [mask] = rle.encode(np.array([[letter == "#" for letter in row] for row in rows])[None])
    return mask


def drawn(mask: RLE, simplify: float = 0.0) -> np.ndarray:
    """The mask of its outlines, as pycocotools fills them."""
    flat = [part.joined.ravel().astype(float).tolist() for part in outlines(mask, simplify)]
    if not flat:
        return np.zeros((mask.height, mask.width), bool)
    merged = coco_mask.merge(coco_mask.frPyObjects(flat, mask.height, mask.width))
    return np.asarray(coco_mask.decode(merged)).astype(bool)


def test_a_pixel_has_four_corners() -> None:
    [part] = outlines(encoded(["...", ".#.", "..."]))
    assert sorted(map(tuple, part.outline.tolist())) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert part.holes == ()


def test_pixels_that_touch_at_a_corner_are_two_parts() -> None:
    assert len(outlines(encoded(["#.", ".#"]))) == len(outlines(encoded([".#", "#."]))) == 2


def test_a_hole_is_one_of_its_part_and_stays_open_when_joined() -> None:
    mask = encoded(["#####", "#...#", "#.#.#", "#...#", "#####"])
    around, within = outlines(mask)
    assert len(around.holes) == 1 and not within.holes
    assert np.array_equal(drawn(mask), rle.decode(mask))


def test_holes_that_touch_at_a_corner_stay_open() -> None:
    mask = encoded(["####", "#.##", "##.#", "####"])
    [part] = outlines(mask)
    assert part.holes
    assert np.array_equal(drawn(mask), rle.decode(mask))


def test_a_mask_without_a_pixel_has_no_outline() -> None:
    assert outlines(encoded(["..", ".."])) == []


@given(st.data())
def test_outlines_enclose_exactly_the_mask(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 12))
    bits = data.draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    pixels = np.array(bits).reshape(height, width)
    [mask] = rle.encode(pixels[None])
    assert np.array_equal(drawn(mask), pixels)


def test_simpler_outlines_have_fewer_points_and_stay_close() -> None:
    rows, columns = np.mgrid[:120, :120]
    disc = (rows - 60) ** 2 + (columns - 60) ** 2 < 50**2
    [mask] = rle.encode(disc[None])
    [whole], [simple] = outlines(mask), outlines(mask, 1.0)
    assert len(simple.outline) < len(whole.outline) / 4
    again = drawn(mask, 1.0)
    assert (again & disc).sum() / (again | disc).sum() > 0.97


@pytest.mark.parametrize("count", [1, 3])
def test_bridged_rings_begin_and_end_where_they_did(count: int) -> None:
    square = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
    path = bridged([square + 5 * at for at in range(count)])
    assert len(path) == 4 * count + 2 * (count - 1)
