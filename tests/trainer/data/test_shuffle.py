from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data.shuffle import shuffled


@given(size=st.integers(1, 300), key=st.lists(st.integers(0, 2**40), min_size=1, max_size=4))
def test_everything_stands_at_one_position(size: int, key: list[int]) -> None:
    assert sorted(shuffled(position, size, key) for position in range(size)) == list(range(size))


def test_orders_of_different_keys_have_nothing_to_do_with_each_other() -> None:
    orders = [[shuffled(position, 2000, (key,)) for position in range(2000)] for key in range(3)]
    natural = list(range(2000))
    for one, other in [(0, 1), (1, 2), (0, 2)]:
        assert abs(np.corrcoef(orders[one], orders[other])[0, 1]) < 0.1
    for order in orders:
        assert abs(np.corrcoef(order, natural)[0, 1]) < 0.1
        # Neighbours do not stay neighbours.
        assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.1


def test_any_size_takes_no_time() -> None:
    assert 0 <= shuffled(10**9, 10**10, (0, 1)) < 10**10
    with pytest.raises(IndexError):
        shuffled(3, 3, (0,))
