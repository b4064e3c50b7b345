from collections.abc import Callable

import numpy as np
import pytest

from engine.records import RLE
from trainer.metrics.boundary import boundary, boundary_iou

Encode = Callable[[np.ndarray], RLE]


def _eroded(mask: np.ndarray, times: int) -> np.ndarray:
    """One pixel of each side and corner at a time, as the published code does it."""
    for _ in range(times):
        around = np.pad(mask, 1)
        height, width = mask.shape
        mask = np.all([around[y : y + height, x : x + width] for y in range(3) for x in range(3)], axis=0)
    return mask


@pytest.mark.parametrize("reach", [1, 2, 5])
def test_the_boundary_is_what_erosion_takes_away(reach: int) -> None:
    rng = np.random.default_rng(reach)
    mask = rng.random((37, 23)) > 0.02
    assert (boundary(mask, reach) == (mask & ~_eroded(mask, reach))).all()


def test_by_hand(rle: Encode) -> None:
    # The diagonal is 50, so the boundary is one pixel thick.
    big, inner, other = (np.zeros((30, 40), bool) for _ in range(3))
    big[5:25, 5:25] = True
    inner[6:24, 6:24] = True
    other[5:25, 6:26] = True
    assert boundary_iou(rle(big), rle(big)) == 1.0
    assert boundary_iou(rle(big), rle(inner)) == 0.0  # though their IoU is .81
    # Of 76 pixels each, 19 in each of the two rows are of both; the columns are not.
    assert boundary_iou(rle(big), rle(other)) == pytest.approx(38 / (2 * 76 - 38))


def test_it_grows_with_the_diagonal(rle: Encode) -> None:
    whole = np.ones((300, 400), bool)
    hole = whole.copy()
    hole[10:-10, 10:-10] = False  # 2 % of 500 pixels: the frame is all of the boundary
    assert boundary_iou(rle(whole), rle(hole)) == 1.0


def test_masks_without_a_pixel_and_of_other_sizes(rle: Encode) -> None:
    blank = rle(np.zeros((30, 40), bool))
    assert boundary_iou(blank, blank) == 0.0
    assert boundary_iou(rle(np.ones((30, 40), bool)), blank) == 0.0
    with pytest.raises(ValueError, match="30x40, 40x30"):
        boundary_iou(blank, rle(np.zeros((40, 30), bool)))
