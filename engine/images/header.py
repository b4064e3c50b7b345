"""How large a photograph is and how it is stored, before a pixel is decoded."""

from __future__ import annotations

import os
from dataclasses import dataclass

from engine.images.opening import MAX_PIXELS, opened
from engine.images.orientation import orientation_of, upright_size


@dataclass(frozen=True, slots=True)
class Header:
    """What the file of a photograph says of it.

    Attributes:
        height, width: as it is to be seen, in pixels.
        stored: height and width of the pixels in the file.
        turned: they are to be turned or mirrored, by its EXIF orientation.
    """

    height: int
    width: int
    stored: tuple[int, int]
    turned: bool


def read_header(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Header:
    """Read the header of a photograph.

    Args:
        path, max_pixels: as `decode` takes them.

    Raises:
        PhotographError: as `decode` in stage `open`.
    """
    with opened(path, max_pixels) as image:
        height, width = upright_size(image)
        orientation = orientation_of(image)
    stored = (width, height) if orientation.lying else (height, width)
    return Header(height, width, stored, turned=orientation.turn is not None)
