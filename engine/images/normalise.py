"""Pixels to the numbers that an encoder was trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


# In numpy, not in torch, whose own threads would fight for the cores with those that read photographs.
def normalise(pixels: np.ndarray, mean: Sequence[float], std: Sequence[float], out: np.ndarray) -> None:
    """`(h, w, 3)` to `(3, h, w)` float32, in place in `out`."""
    for channel, (middle, spread) in enumerate(zip(mean, std, strict=True)):
        np.subtract(pixels[..., channel], np.float32(middle), out=out[channel], dtype=np.float32)
        out[channel] /= np.float32(spread)
