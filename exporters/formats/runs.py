"""Run lengths row after row, which editors have; COCO's go column after column."""

from __future__ import annotations

import numpy as np


def rows_of_runs(pixels: np.ndarray) -> np.ndarray:
    """Lengths of runs by turns, the first one, which may be 0, of what is outside.

    Args:
        pixels: `(H, W)` bool.
    """
    flat = pixels.ravel()
    changes = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate(([0], changes, [flat.size])))
    return np.concatenate(([0], runs)) if flat.size and flat[0] else runs
