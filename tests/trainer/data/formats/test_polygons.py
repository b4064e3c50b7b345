"""Rings of objects: the good ones survive the others, and nothing that is none reaches the rasteriser."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from engine.masks.rle import decode
from tests.trainer.data.formats.made import HEIGHT, WIDTH, box, polygon
from trainer.data.formats.polygons import polygons_to_rle

GOOD = polygon(2, 3, 8, 12)
MASK = box(2, 3, 8, 12)
NAN, INF = float("nan"), float("inf")

BAD: list[tuple[Any, str]] = [
    ([], "fewer than three points"),
    ([5, 5], "fewer than three points"),
    ([5, 5, 7, 5], "fewer than three points"),
    ([5, 5, 7, 5, 7, 7, 5], "an odd number of coordinates"),
    ([5, 5, 10, 5, 15, 5], "all points on a line"),
    ([5, 5, 7, 7, 9, 9, 3, 3], "all points on a line"),
    ([0.1, 0.2, 0.3, 0.6, 0.2, 0.4], "all points on a line"),
    ([4, 4, 4, 4, 4, 4], "all points on a line"),
    ([5, 5, NAN, 5, 7, 7], "a coordinate that is no number"),
    ([5, 5, INF, 5, 7, 7], "far outside the photograph"),
    ([5, 5, -INF, 5, 7, 7], "far outside the photograph"),
    ([5, 5, 1e9, 5, 7, 7], "far outside the photograph"),
    ([5, 5, 10**400, 5, 7, 7], "far outside the photograph"),
    (["5", "5", "7", "5", "7", "7"], "not a list of numbers"),
    ([5, 5, None, 5, 7, 7], "not a list of numbers"),
    ([True, False, True, True, False, True], "not a list of numbers"),
    ([[5, 5], [7, 5], [7, 7]], "not a list of numbers"),
    ([[5, 5, 7, 5, 7, 7]], "not a list of numbers"),
    ([5, [5, 7], 5, 7, 7], "not a list of numbers"),
    ("5, 5, 7, 5, 7, 7", "not a list of numbers"),
    (None, "not a list of numbers"),
    ({"x": 5}, "not a list of numbers"),
]


@pytest.mark.parametrize(("ring", "reason"), BAD)
def test_a_ring_that_is_none_is_left_out_and_told(ring: Any, reason: str) -> None:
    for rings in ([GOOD, ring], [ring, GOOD], [ring, GOOD, ring]):
        told: list[str] = []
        assert np.array_equal(decode(polygons_to_rle(rings, HEIGHT, WIDTH, told.append)), MASK)
        assert len(told) == len(rings) - 1 and all(reason in one and "the rest of its object" in one for one in told)


@pytest.mark.parametrize(("ring", "reason"), BAD)
def test_an_object_without_a_good_ring_is_refused(ring: Any, reason: str) -> None:
    for rings in ([ring], [ring, ring]):
        told: list[str] = []
        with pytest.raises(ValueError, match=reason):
            polygons_to_rle(rings, HEIGHT, WIDTH, told.append)
        assert not told
    with pytest.raises(ValueError, match="no polygon"):
        polygons_to_rle([], HEIGHT, WIDTH)


def test_four_numbers_in_front_are_no_box() -> None:
    assert np.array_equal(decode(polygons_to_rle([[0, 0, 9, 9], GOOD], HEIGHT, WIDTH)), MASK)


def test_a_single_ring_may_stand_without_its_list() -> None:
    assert np.array_equal(decode(polygons_to_rle(GOOD, HEIGHT, WIDTH)), MASK)


def test_polygons_agree_with_the_coco_api() -> None:
    points = [2.5, 1.2, 17.9, 3.3, 9.1, 11.4]
    expected = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects([points], HEIGHT, WIDTH)))
    assert np.array_equal(decode(polygons_to_rle([points], HEIGHT, WIDTH)), expected.astype(bool))


def test_a_crossed_outline_has_an_area() -> None:
    assert decode(polygons_to_rle([[0, 0, 10, 10, 10, 0, 0, 10]], HEIGHT, WIDTH)).any()


def test_a_frame_that_no_photograph_has_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 268 megapixels"):
        polygons_to_rle([GOOD], 100_000, 100_000)


def test_the_way_around_a_ring_is_bounded() -> None:
    """Every pixel of it costs memory, so that a small file could ask for any amount."""
    zigzag = [value for at in range(3_000) for value in (0, at, 9_000, at)]
    with pytest.raises(ValueError, match="a way around of more than 10 million pixels"):
        polygons_to_rle([zigzag], 9_000, 9_000)


numbers = st.integers(-50, 50) | st.floats() | st.just(10**400) | st.none() | st.booleans() | st.text(max_size=2)


@given(st.recursive(numbers, lambda inner: st.lists(inner, max_size=9), max_leaves=30))
def test_any_value_is_a_mask_or_refused(value: Any) -> None:
    try:
        found = polygons_to_rle(value if isinstance(value, list) else [value], HEIGHT, WIDTH)
    except ValueError:
        return
    assert decode(found).shape == (HEIGHT, WIDTH)
