"""AUROC: how well a score tells right from wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def auroc(right: Sequence[float], wrong: Sequence[float]) -> float | None:
    """The probability that one that is right has a higher score than one that is wrong; equal scores count half.

    Args:
        right: scores of what is right.
        wrong: of what is wrong.

    Returns:
        None without any of either.
    """
    if not (len(right) and len(wrong)):
        return None
    ordered = np.sort(np.asarray(wrong, dtype=np.float64))
    scores = np.asarray(right, dtype=np.float64)
    below, up_to = (np.searchsorted(ordered, scores, side=side) for side in ("left", "right"))
    return float((below + up_to).sum() / (2 * len(scores) * len(ordered)))
