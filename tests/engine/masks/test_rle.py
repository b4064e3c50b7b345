"""Masks survive the encoding, and its area and box are those of the pixels."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as coco_mask

from engine.masks.rle import (
    area,
    bbox,
    changes,
    decode,
    encode,
    from_changes,
    from_coco,
    from_coco_together,
    run_lengths,
)
from engine.records import RLE

# pycocotools asks numpy for its arrays in a way that numpy 2 remarks on.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

masks_of_any_shape = array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=12).flatmap(
    lambda shape: arrays(np.bool_, shape)
)


@settings(deadline=None)
@given(masks_of_any_shape)
def test_round_trip(masks: np.ndarray) -> None:
    encoded = encode(masks)
    assert len(encoded) == len(masks)
    for rle, mask in zip(encoded, masks, strict=True):
        assert (rle.height, rle.width) == mask.shape
        pixels = decode(rle)
        assert pixels.dtype == np.bool_
        assert np.array_equal(pixels, mask)


@settings(deadline=None)
@given(masks_of_any_shape)
def test_area_and_box_are_those_of_the_pixels(masks: np.ndarray) -> None:
    for rle, mask in zip(encode(masks), masks, strict=True):
        assert area(rle) == mask.sum()
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if len(rows):
            expected = (columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1)
        else:
            expected = (0, 0, 0, 0)
        assert bbox(rle) == expected


@settings(deadline=None)
@given(masks_of_any_shape, st.permutations([0, 1, 2]))
def test_any_memory_layout(masks: np.ndarray, order: list[int]) -> None:
    strided = np.ascontiguousarray(masks.transpose(order)).transpose(np.argsort(order))
    assert encode(strided) == encode(masks)
    assert encode(masks[:, ::-1]) == encode(np.ascontiguousarray(masks[:, ::-1]))


def test_the_counts_are_those_of_the_coco_api() -> None:
    mask = np.zeros((4, 5), bool)
    mask[1:3, 2:5] = True
    expected = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert encode(mask[None]) == [RLE(4, 5, expected["counts"].decode())]
    assert encode(mask[None])[0].to_coco() == {"size": [4, 5], "counts": expected["counts"].decode()}


@settings(deadline=None)
@given(masks_of_any_shape, st.lists(st.integers(0, 12), max_size=3))
def test_a_mask_encoded_from_its_changes_a_few_columns_at_a_time(masks: np.ndarray, cuts: list[int]) -> None:
    height, width = masks.shape[1:]
    edges = sorted({0, width, *(cut for cut in cuts if cut < width)})
    for mask in masks:
        parts = [changes(mask[:, left:right].T, left, 0, height) for left, right in pairwise(edges)]
        assert from_changes(np.concatenate(parts), height, width) == encode(mask[None])[0]


def test_a_mask_encoded_from_where_it_lies() -> None:
    mask = np.zeros((9, 14), bool)
    mask[3:7, 5:8] = [[1, 0, 1], [0, 1, 1], [1, 1, 0], [1, 1, 1]]
    assert from_changes(changes(mask[3:7, 5:8].T, 5, 3, 9), 9, 14) == encode(mask[None])[0]
    nothing = from_changes(np.empty(0, np.int64), 9, 14)
    assert nothing == encode(np.zeros((1, 9, 14), bool))[0]


def test_no_masks() -> None:
    assert encode(np.zeros((0, 4, 5), bool)) == []


@pytest.mark.parametrize(
    "masks", [np.zeros((4, 5), bool), np.zeros((1, 4, 5), np.uint8), np.zeros((1, 0, 5), bool)], ids=str
)
def test_other_arrays_are_refused(masks: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"bool \(N, H, W\)"):
        encode(masks)


@settings(deadline=None)
@given(masks_of_any_shape)
def test_run_lengths_are_those_of_the_pixels(masks: np.ndarray) -> None:
    for rle, mask in zip(encode(masks), masks, strict=True):
        flat = mask.T.reshape(-1)
        edges = np.flatnonzero(np.diff(flat, prepend=False))
        assert run_lengths(rle).tolist() == np.diff(edges, prepend=0, append=len(flat)).tolist()


counts = st.text(st.characters(min_codepoint=48, max_codepoint=111)) | st.text()


@settings(max_examples=400, deadline=None)
@given(counts, st.integers(-1, 40), st.integers(-1, 40))
def test_any_counts_are_a_mask_or_refused(text: str, height: int, width: int) -> None:
    """pycocotools gives back memory that was never written where counts end early."""
    rle = RLE(height, width, text)
    try:
        pixels = decode(rle)
    except ValueError:
        return
    assert pixels.shape == (height, width)
    assert pixels.sum() == run_lengths(rle)[1::2].sum()
    assert np.array_equal(decode(encode(pixels[None])[0]), pixels)


@pytest.mark.parametrize("text", ["", "0", "01", "05", "0ooooo", "04o", "P" * 30, "\x01\x02", "é"])
def test_counts_that_do_not_fill_the_mask_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        decode(RLE(4, 4, text))


def test_a_mask_of_more_pixels_than_can_be_counted_is_refused() -> None:
    whole = RLE(1 << 16, 1 << 16, coco_mask.frPyObjects({"size": [1, 1], "counts": [0]}, 1, 1)["counts"].decode())
    with pytest.raises(ValueError, match="more pixels than"):
        decode(whole)


def listed(mask: np.ndarray) -> list[int]:
    lengths: list[int] = run_lengths(encode(mask[None])[0]).tolist()
    return lengths


@settings(deadline=None)
@given(masks_of_any_shape)
def test_masks_of_others_are_read_in_every_form(masks: np.ndarray) -> None:
    for rle, mask in zip(encode(masks), masks, strict=True):
        sides = list(mask.shape)
        for size in (sides, tuple(sides), [float(side) for side in sides], np.array(sides)):
            assert from_coco({"size": size, "counts": rle.counts}) == rle
        counts = listed(mask)
        for form in (rle.counts.encode(), counts, tuple(counts), [float(n) for n in counts], np.array(counts)):
            assert from_coco({"size": sides, "counts": form}) == rle
        assert from_coco(rle.to_coco() | {"score": None}) == rle


@settings(deadline=None)
@given(masks_of_any_shape, st.data())
def test_runs_of_no_pixel_are_taken_out(masks: np.ndarray, data: st.DataObject) -> None:
    """Where two masks have such a run at the same place, the union of pycocotools ends there."""
    for mask, expected in zip(masks, encode(masks), strict=True):
        counts = listed(mask)
        for _ in range(data.draw(st.integers(0, 3))):
            at = data.draw(st.integers(0, len(counts) - 1))
            split = data.draw(st.integers(0, counts[at]))
            counts[at : at + 1] = [split, 0, counts[at] - split]
        text = coco_mask.frPyObjects({"size": list(mask.shape), "counts": counts}, *mask.shape)["counts"]
        for form in (counts, text, [*counts, 0], [*counts, 0, 0]):
            assert from_coco({"size": list(mask.shape), "counts": form}) == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "not an object with size and counts"),
        ([[1, 2, 3, 4, 5, 6]], "not an object with size and counts"),
        ({"counts": "04"}, "not an object with size and counts"),
        ({"size": [2, 2]}, "not an object with size and counts"),
        ({"size": [2], "counts": "4"}, "size is not two whole numbers"),
        ({"size": [2, 2, 1], "counts": "4"}, "size is not two whole numbers"),
        ({"size": "22", "counts": "4"}, "size is not two whole numbers"),
        ({"size": None, "counts": "4"}, "size is not two whole numbers"),
        ({"size": {"0": 2, "1": 2}, "counts": "4"}, "size is not two whole numbers"),
        ({"size": ["2", "2"], "counts": "4"}, "size is not two whole numbers"),
        ({"size": [True, 4], "counts": "4"}, "size is not two whole numbers"),
        ({"size": [2.5, 2], "counts": "4"}, "size is not two whole numbers"),
        ({"size": [float("inf"), 320], "counts": "4"}, "size is not two whole numbers"),
        ({"size": [float("nan"), 320], "counts": "4"}, "size is not two whole numbers"),
        ({"size": [0, 2], "counts": ""}, "of no size"),
        ({"size": [-2, -2], "counts": "4"}, "of no size"),
        ({"size": [100_000, 100_000], "counts": [10**10]}, "more than 268 megapixels"),
        ({"size": [10**400, 2], "counts": [4]}, "more than 268 megapixels"),
        ({"size": [2, 2], "counts": None}, "neither text nor a list"),
        ({"size": [2, 2], "counts": 4}, "neither text nor a list"),
        ({"size": [2, 2], "counts": {"0": 4}}, "neither text nor a list"),
        ({"size": [2, 2], "counts": ""}, "empty"),
        ({"size": [2, 2], "counts": []}, "empty"),
        ({"size": [2, 2], "counts": b""}, "empty"),
        ({"size": [2, 2], "counts": "ü4"}, "not ASCII"),
        ({"size": [2, 2], "counts": b"\xfc4"}, "not ASCII"),
        ({"size": [2, 2], "counts": "4 "}, "a letter that no run length"),
        ({"size": [2, 2], "counts": "\x004"}, "a letter that no run length"),
        ({"size": [2, 2], "counts": "4p"}, "a letter that no run length"),
        ({"size": [2, 2], "counts": "b'4'"}, "what Python prints for bytes"),
        ({"size": [2, 2], "counts": "4o"}, "cut in the middle"),
        ({"size": [2, 2], "counts": "oooooooo0"}, "too long for a run length"),
        ({"size": [2, 2], "counts": "11"}, "end before they fill"),
        ({"size": [2, 2], "counts": "5"}, "overfill"),
        ({"size": [2, 2], "counts": [1, 1]}, "end before they fill"),
        ({"size": [2, 2], "counts": [1, 4]}, "overfill"),
        ({"size": [2, 2], "counts": [2**62, 2**62, 2**62, 2**62, 4]}, "overfill"),
        ({"size": [2, 2], "counts": [2**64, 4]}, "overfill"),
        ({"size": [2, 2], "counts": [10**400]}, "overfill"),
        ({"size": [2, 2], "counts": [1e300]}, "overfill"),
        ({"size": [2, 2], "counts": [5, -1]}, "negative"),
        ({"size": [2, 2], "counts": [-(10**400), 4]}, "negative"),
        ({"size": [2, 2], "counts": [3, True]}, "not whole numbers"),
        ({"size": [2, 2], "counts": [1.5, 2.5]}, "not whole numbers"),
        ({"size": [2, 2], "counts": [float("nan")]}, "not whole numbers"),
        ({"size": [2, 2], "counts": [float("inf")]}, "not whole numbers"),
        ({"size": [2, 2], "counts": ["4"]}, "not whole numbers"),
        ({"size": [2, 2], "counts": [3, "1"]}, "not whole numbers"),
        ({"size": [2, 2], "counts": [4, None]}, "not whole numbers"),
        ({"size": [2, 2], "counts": [[4]]}, "not whole numbers"),
        ({"size": [2, 2], "counts": [[4], 0]}, "not whole numbers"),
    ],
)
def test_what_lies_or_is_no_mask_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        from_coco(value)
    assert "\n" not in str(caught.value)


@settings(max_examples=300, deadline=None)
@given(
    st.fixed_dictionaries(
        {
            "size": st.lists(st.integers(-1, 9) | st.floats() | st.text(), max_size=3),
            "counts": counts | st.binary() | st.lists(st.integers(-2, 20) | st.floats() | st.booleans(), max_size=6),
        }
    )
)
def test_any_value_is_a_mask_that_is_safe_or_refused(value: dict[str, Any]) -> None:
    try:
        rle = from_coco(value)
    except ValueError:
        return
    assert decode(rle).shape == (rle.height, rle.width)
    assert area(rle) == decode(rle).sum()


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(counts | st.sampled_from(["04", "4", "13", "220", "04o"]), st.integers(1, 3)), max_size=40))
def test_many_masks_are_read_as_each_would_be(some: list[tuple[str, int]]) -> None:
    values = [{"size": [side, 4 // side], "counts": text} for text, side in some]
    together = from_coco_together(values)
    try:
        alone = [from_coco(value) for value in values]
    except ValueError:
        assert together is None
    else:
        assert (
            together == alone
            or together is None
            and any(one.to_coco() != v for one, v in zip(alone, values, strict=True))
        )


def test_what_is_no_text_is_not_read_together() -> None:
    assert from_coco_together([]) == []
    good = {"size": [2, 2], "counts": "04"}
    assert from_coco_together([good] * 40) == [from_coco(good)] * 40
    others: list[Any] = [None, [], {"size": [2, 2], "counts": [0, 4]}, {"counts": "04"}, {"size": [2, 2], "counts": ""}]
    for other in others:
        assert from_coco_together([good, other]) is None
