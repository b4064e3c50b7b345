"""Quantiles are those of numpy, but for a thousandth."""

from __future__ import annotations

import numpy as np
import pytest

from exporters.labels.quantiles import ERROR, Spread


def _spread(values: np.ndarray) -> Spread:
    spread = Spread()
    for value in values.tolist():
        spread.add(value)
    return spread


@pytest.mark.parametrize("seed", range(5))
def test_they_are_those_of_numpy_but_for_a_thousandth(seed: int) -> None:
    values = np.random.default_rng(seed).lognormal(7, 3, 3000)
    values[:100] = 0
    found = _spread(values).quantiles()
    assert found is not None and found.count == 3000
    assert (found.least, found.most) == (0, values.max())
    assert found.mean == pytest.approx(values.mean())
    exact = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95], method="lower")
    assert [found.p5, found.p25, found.median, found.p75, found.p95] == pytest.approx(exact, rel=ERROR)


def test_they_are_values_that_were_counted() -> None:
    found = _spread(np.array([300, 1, 300, 7, 300])).quantiles()
    assert found is not None
    assert (found.p5, found.median, found.most) == (1, 300, 300)
    assert isinstance(found.median, int)


def test_memory_does_not_grow_with_the_values() -> None:
    spread = _spread(np.random.default_rng(0).uniform(0.1, 1, 50_000))
    assert len(spread._counts) <= np.log(10) / np.log(1 + ERROR) + 2


def test_nothing_has_none() -> None:
    assert Spread().quantiles() is None


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_what_has_no_place_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="is no number from 0 on"):
        Spread().add(value)
