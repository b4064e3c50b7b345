"""Pictures whose pixels are not colours: numbers of classes or of segments, masks."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFile

from engine.errors import PhotographError
from engine.images.opening import MAX_PIXELS, opened, refusing
from engine.images.orientation import orientation_of

_SHADES = {"L;2": 85, "L;4": 17}
"""Greys of two and four bits are stretched to the shades of eight; by so much."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """The numbers in a picture.

    Attributes:
        values: `(H, W)` for a picture of one number per pixel: a palette's indices, greys of 1 to 16 bits; else
            `(H, W, C)`. Upright.
        turned: they were turned or mirrored for that, by the EXIF orientation.
    """

    values: np.ndarray
    turned: bool


def read_samples(
    source: str | os.PathLike[str] | bytes, *, colours: bool = False, max_pixels: int = MAX_PIXELS
) -> Samples:
    """Read the numbers in a picture as they are stored, but for its orientation.

    Args:
        source: a file, or what is in one of PNG.
        colours: a palette's colours are wanted instead of its indices.
        max_pixels: the largest width x height, checked before a pixel is decoded.

    Raises:
        PhotographError: if it can't be read.
    """
    with _source(source, max_pixels) as image, refusing("decode", max_pixels):
        tiles = image.tile if isinstance(image, ImageFile.ImageFile) else []
        stretched = _SHADES.get(str(tiles[0].args), 1) if tiles else 1
        image.load()
        orientation = orientation_of(image)
        upright = orientation.upright(image)
        if colours and upright.mode == "P":
            upright = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
        values = np.asarray(upright)
        if values.dtype == np.bool_:
            values = values.astype(np.uint8)
        return Samples(values // stretched if stretched > 1 else values, turned=orientation.turn is not None)


@contextmanager
def _source(source: str | os.PathLike[str] | bytes, max_pixels: int) -> Iterator[Image.Image]:
    if not isinstance(source, bytes):
        with opened(source, max_pixels) as image:
            yield image
        return
    with refusing("open", max_pixels), Image.open(io.BytesIO(source), formats=("PNG",)) as image:
        if image.width * image.height > max_pixels:
            raise PhotographError("open", f"too large: {image.width} x {image.height}")
        yield image
