from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from engine.records import RLE
from trainer.metrics.matching import greedy_pairs, iou_matrix

Encode = Callable[..., RLE]
# Few distinct values, so that ties are common.
MATRICES = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=6),
    elements=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]),
)


def test_iou_by_hand(rle: Encode) -> None:
    left = rle([[1, 1, 0, 0], [1, 1, 0, 0]])
    middle = rle([[0, 1, 1, 0], [0, 1, 1, 0]])
    nothing = rle(np.zeros((2, 4)))
    iou = iou_matrix([left, nothing], [left, middle, nothing])
    np.testing.assert_array_equal(iou, [[1.0, 2 / 6, 0.0], [0.0, 0.0, np.nan]])
    assert iou_matrix([nothing], [nothing], empty=0.0)[0, 0] == 0.0


def test_iou_of_no_masks_keeps_its_shape(rle: Encode) -> None:
    one = rle([[1]])
    assert iou_matrix([], [one]).shape == (0, 1)
    assert iou_matrix([one, one], []).shape == (2, 0)


def test_iou_refuses_other_sizes(rle: Encode) -> None:
    with pytest.raises(ValueError, match="1x2, 2x1"):
        iou_matrix([rle([[1, 1]])], [rle([[1], [1]])])


def test_iou_of_more_masks_than_a_byte_counts(rle: Encode) -> None:
    left, right, nothing = rle([[1, 0]]), rle([[0, 1]]), rle([[0, 0]])
    found = iou_matrix([left, nothing], [left, right, nothing] * 100, empty=0.5)
    np.testing.assert_array_equal(found, [[1.0, 0.0, 0.0] * 100, [0.0, 0.0, 0.5] * 100])


@given(masks=hnp.arrays(np.bool_, st.tuples(st.integers(2, 5), st.integers(1, 7), st.integers(1, 7))))
def test_iou_equals_that_of_pixels(rle: Encode, masks: NDArray[np.bool_]) -> None:
    coded = [rle(mask) for mask in masks]
    flat = masks.reshape(len(masks), -1).astype(np.int64)
    both = flat @ flat.T
    either = flat.sum(1)[:, None] + flat.sum(1)[None, :] - both
    expected = np.where(either > 0, both / np.maximum(either, 1), np.nan)
    np.testing.assert_array_equal(iou_matrix(coded, coded), expected)


def test_greedy_by_hand() -> None:
    # The greedy choice (0, 0) costs the better sum of (0, 1) and (1, 0).
    assert greedy_pairs(np.array([[0.9, 0.8], [0.8, 0.0]])) == ((0, 0),)
    # Ties go to the first in row-major order.
    assert greedy_pairs(np.array([[0.5, 0.5], [0.5, 0.5]])) == ((0, 0), (1, 1))
    assert greedy_pairs(np.array([[0.1, 0.5], [0.5, 0.1]])) == ((0, 1), (1, 0))


def test_greedy_ends_at_nan() -> None:
    assert greedy_pairs(np.array([[1.0, 0.0], [0.0, np.nan]])) == ()


@given(iou=MATRICES)
def test_greedy_is_one_to_one_and_falls(iou: NDArray[np.float64]) -> None:
    before = iou.copy()
    pairs = greedy_pairs(iou)
    np.testing.assert_array_equal(iou, before)
    rows, columns = [row for row, _ in pairs], [column for _, column in pairs]
    assert len(set(rows)) == len(rows) and len(set(columns)) == len(columns)
    values = [iou[pair] for pair in pairs]
    assert values == sorted(values, reverse=True) and all(value > 0 for value in values)
    left = np.delete(np.delete(iou, rows, axis=0), columns, axis=1)
    assert not (left > 0).any()


@given(iou=MATRICES)
def test_greedy_equals_one_pass_over_sorted_entries(iou: NDArray[np.float64]) -> None:
    order = np.argsort(-iou, axis=None, kind="stable")
    taken: list[tuple[int, int]] = []
    for row, column in zip(*np.unravel_index(order, iou.shape), strict=True):
        free = all(row != r and column != c for r, c in taken)
        if iou[row, column] > 0 and free:
            taken.append((int(row), int(column)))
    assert greedy_pairs(iou) == tuple(taken)
