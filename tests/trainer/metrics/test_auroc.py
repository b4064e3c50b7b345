import numpy as np
import pytest

from trainer.metrics.auroc import auroc


def test_known_values() -> None:
    assert auroc([0.9, 0.8], [0.7, 0.1]) == 1.0
    assert auroc([0.1], [0.9]) == 0.0
    assert auroc([0.5], [0.5]) == 0.5
    assert auroc([0.8, 0.4], [0.6, 0.2]) == 0.75
    # Three of the six pairs are in order and one is even.
    assert auroc([0.5, 0.3], [0.5, 0.2, 0.4]) == pytest.approx(3.5 / 6)
    assert auroc([], [0.5]) is auroc([0.5], []) is None


def test_it_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(0)
    right, wrong = rng.integers(0, 9, 40) / 8, rng.integers(0, 7, 30) / 8  # with many ties
    pairs = [(one > other) + (one == other) / 2 for one in right for other in wrong]
    assert auroc(list(right), list(wrong)) == pytest.approx(np.mean(pairs))
