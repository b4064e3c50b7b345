"""Made photographs, where there are none: the same ones each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from engine.images.sources import Source

_SIZES = ((640, 480), (1920, 1080), (1080, 1440), (3000, 2000), (1280, 960), (480, 640), (2048, 1365))
"""Width and height of what cameras, telephones and data sets give, taken in turn."""
_QUALITY = 90
_SHAPES = 12
_NOISE = 6.0


def make_photographs(folder: Path, count: int) -> list[Source]:
    """Write `count` JPEGs: a gradient with shapes and noise each.

    Args:
        folder: an empty one.
        count: how many.

    Returns:
        them, in the order of their names.
    """
    sources = []
    for number in range(count):
        name = f"{number:06d}.jpg"
        _draw(number).save(folder / name, quality=_QUALITY)
        sources.append(Source(folder / name, name))
    return sources


def _draw(number: int) -> Image.Image:
    draws = np.random.default_rng(number)
    width, height = _SIZES[number % len(_SIZES)]
    corners = draws.integers(0, 256, (2, 2, 3), dtype=np.uint8)
    picture = Image.fromarray(corners).resize((width, height), Image.Resampling.BILINEAR)
    pen = ImageDraw.Draw(picture)
    for shape in range(_SHAPES):
        left, right = sorted(draws.integers(0, width, 2).tolist())
        top, bottom = sorted(draws.integers(0, height, 2).tolist())
        colour = tuple(draws.integers(0, 256, 3).tolist())
        (pen.rectangle if shape % 2 else pen.ellipse)((left, top, right, bottom), fill=colour)
    noise = draws.normal(0, _NOISE, (height, width, 1)).astype(np.float32)
    return Image.fromarray((np.asarray(picture) + noise).clip(0, 255).astype(np.uint8))
