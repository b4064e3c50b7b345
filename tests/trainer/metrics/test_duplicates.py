from collections.abc import Callable

import numpy as np

from engine.records import RLE
from trainer.metrics.duplicates import count_duplicates


def _rows(count: int) -> np.ndarray:
    mask = np.zeros((20, 10), bool)
    mask[:count] = True
    return mask


def test_only_what_is_nearly_the_same_as_an_earlier_one(rle: Callable[..., RLE]) -> None:
    ten, nine, eight, seven, blank = (rle(_rows(count)) for count in (10, 9, 8, 7, 0))
    assert count_duplicates([]) == count_duplicates([ten]) == 0
    assert count_duplicates([ten, nine]) == count_duplicates([nine, ten]) == 1
    assert count_duplicates([ten, eight]) == 0  # an IoU of .8 is not above it
    # The second and the third are the same as one before them, the fourth as the third.
    assert count_duplicates([ten, nine, eight, seven]) == 3
    assert count_duplicates([ten, seven, ten]) == 1
    assert count_duplicates([blank, blank, ten]) == 0
