"""A photograph resized so that its sides are whole numbers of image tokens and its pixels neither few nor many.

It is resized twice, as the public code of Sa2VA over Qwen3-VL does: first to multiples of 28, then to multiples of a
token's side, each time within bounds. Small photographs are enlarged.

Legend: `h x w` pixels of the view.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from engine.images.decode import Photograph
from engine.images.normalise import normalise
from engine.model.config import GridConfig

_MIDDLE = (127.5, 127.5, 127.5)
"""Mean and standard deviation: 0 to 255 becomes -1 to 1."""


def sides_within(height: int, width: int, multiple: int, least: int, most: int) -> tuple[int, int]:
    """Sides of nearly the same proportion that are multiples, with at least and at most so many pixels.

    A photograph so thin that its short side would be less than one multiple is cut to `most` by its long side alone.
    """
    sides = max(multiple, round(height / multiple) * multiple), max(multiple, round(width / multiple) * multiple)
    pixels = sides[0] * sides[1]
    if pixels > most:
        shrunk = math.sqrt(height * width / most)
        sides = _floor(height / shrunk, multiple), _floor(width / shrunk, multiple)
    elif pixels < least:
        grown = math.sqrt(least / (height * width))
        sides = math.ceil(height * grown / multiple) * multiple, math.ceil(width * grown / multiple) * multiple
    longest = _floor(most / min(sides), multiple)
    return min(sides[0], longest), min(sides[1], longest)


def grid_view(photograph: Photograph, config: GridConfig) -> Tensor:
    """The whole photograph in its grid: `(3, h, w)` float32."""
    height, width = sides_within(
        photograph.height, photograph.width, config.first_multiple, config.first_least, config.first_most
    )
    first = np.asarray(photograph.image.resize((width, height), Image.Resampling.BICUBIC, photograph.box))
    sides = sides_within(height, width, config.cell, config.least_pixels, config.most_pixels)
    # Pillow rounds otherwise, in the last of eight bits.
    stacked = torch.tensor(first).permute(2, 0, 1)[None]
    second = F.interpolate(stacked, sides, mode="bicubic", align_corners=False, antialias=True)[0]
    out = np.empty((3, *sides), np.float32)
    normalise(second.permute(1, 2, 0).numpy(), _MIDDLE, _MIDDLE, out)
    return torch.from_numpy(out)


def _floor(side: float, multiple: int) -> int:
    return max(multiple, math.floor(side / multiple) * multiple)
