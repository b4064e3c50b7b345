"""Where the top of a picture is, by its EXIF orientation: how it is stored, and how it is to be seen.

Source: Exif 3.0, tag 0x0112.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, TiffImagePlugin


@dataclass(frozen=True, slots=True)
class Orientation:
    """One of the eight.

    Attributes:
        turn: what brings a stored image upright; None if it is.
        stored: the view of an upright array `(H, W, C)` in which its pixels lie as they are stored.
        lying: the stored picture's height is the upright one's width.
        from_right, from_bottom: upright, the stored right or bottom edge is on the other side.
    """

    turn: Image.Transpose | None
    stored: Callable[[np.ndarray], np.ndarray]
    lying: bool = False
    from_right: bool = False
    from_bottom: bool = False

    def upright(self, image: Image.Image) -> Image.Image:
        """A stored image as it is to be seen."""
        return image if self.turn is None else image.transpose(self.turn)


_UPRIGHT = Orientation(None, lambda pixels: pixels)
_ORIENTATIONS = {
    1: _UPRIGHT,
    2: Orientation(Image.Transpose.FLIP_LEFT_RIGHT, lambda a: a[:, ::-1], from_right=True),
    3: Orientation(Image.Transpose.ROTATE_180, lambda a: a[::-1, ::-1], from_right=True, from_bottom=True),
    4: Orientation(Image.Transpose.FLIP_TOP_BOTTOM, lambda a: a[::-1], from_bottom=True),
    5: Orientation(Image.Transpose.TRANSPOSE, lambda a: a.swapaxes(0, 1), lying=True),
    6: Orientation(Image.Transpose.ROTATE_270, lambda a: a.swapaxes(0, 1)[::-1], lying=True, from_right=True),
    7: Orientation(
        Image.Transpose.TRANSVERSE,
        lambda a: a[::-1, ::-1].swapaxes(0, 1),
        lying=True,
        from_right=True,
        from_bottom=True,
    ),
    8: Orientation(Image.Transpose.ROTATE_90, lambda a: a.swapaxes(0, 1)[:, ::-1], lying=True, from_bottom=True),
}


def orientation_of(image: Image.Image) -> Orientation:
    """How the pixels of an image are stored; those of a TIFF that is loaded are upright, as Pillow turns it."""
    try:
        # Not the image's own method: that of a PNG decodes the whole picture to look behind it.
        return _ORIENTATIONS.get(Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1), _UPRIGHT)
    except Exception:  # metadata too damaged to say where up is: the pixels are still good
        return _UPRIGHT


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Height and width that an image will have upright, before it is loaded."""
    width, height = image.size
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        # Pillow gives the size that it will have once it is loaded, and turned; before 12 it did not.
        width, height = image.tag_v2[ExifTags.Base.ImageWidth], image.tag_v2[ExifTags.Base.ImageLength]
    return (width, height) if orientation_of(image).lying else (height, width)
