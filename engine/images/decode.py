"""A file of any bytes becomes an upright RGB array, or a one-line reason why not."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import CDLL
from dataclasses import dataclass
from threading import Lock
from typing import Self

import numpy as np
from PIL import Image

from engine.images.opening import MAX_PIXELS, check_size, opened, refusing
from engine.images.orientation import orientation_of
from engine.images.orientation import upright_size as size_of
from engine.images.pixels import bands, is_plain
from engine.images.remarks import remarks_of
from engine.records import Remark

__all__ = ["MAX_PIXELS", "Photograph", "decode", "decode_at_least", "decode_open", "upright_size"]

_LARGE = 50_000_000
"""Pixels of a photograph for which memory is saved: it waits for others of its kind, and its views are made from a
coarser grid."""
_FRACTIONS = (8, 4, 2)  # what libjpeg decodes to without decoding all first

_one_large = Lock()
# glibc keeps what a thread has freed for that thread, a gigabyte as well as a kilobyte, unless it is told otherwise.
_trim = getattr(CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Photograph:
    """An upright photograph in sRGB, perhaps on a coarser grid than that of its file.

    Attributes:
        image: its pixels, in mode RGB.
        height, width: of the whole upright photograph, in pixels of the file.
        box: left, top, right and bottom of what of `image` is the photograph. A grid whose last cells hang over the
            photograph's edge has them outside.
        remarks: on its file.
    """

    image: Image.Image
    height: int
    width: int
    box: tuple[float, float, float, float]
    remarks: frozenset[Remark] = frozenset()

    @classmethod
    def whole(cls, pixels: np.ndarray) -> Self:
        """That of an array `(H, W, 3)` uint8."""
        height, width = pixels.shape[:2]
        return cls(Image.fromarray(pixels), height, width, (0, 0, width, height))


def decode(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode a photograph: EXIF orientation applied, transparency on white, first frame, colours in sRGB.

    Args:
        path: a JPEG, PNG, WebP, BMP, TIFF, GIF or AVIF file, whatever its name.
        max_pixels: the largest width x height, checked before a pixel is decoded. Pillow refuses more than two
            thousand million in any case.

    Returns:
        uint8, `(H, W, 3)`.

    Raises:
        PhotographError: in stage `open` if this is no photograph to begin with, in stage `decode` if its
            pixels can't be had. No bytes raise anything else.
    """
    with opened(path, max_pixels) as image, refusing("decode", max_pixels), _in_turn(image):
        pixels = _pixels(image)
        image.close()
        return pixels


def decode_open(image: Image.Image, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode a picture that Pillow has open, or has in memory, as `decode` decodes a file.

    Args:
        image: of any of Pillow's modes; its frame, if it has several, is the one that it stands at.
        max_pixels: as `decode` takes it.

    Raises:
        PhotographError: as `decode`.
    """
    with refusing("open", max_pixels):
        check_size(image.size, max_pixels)
    with refusing("decode", max_pixels), _in_turn(image):
        return _pixels(image)


def decode_at_least(
    path: str | os.PathLike[str], *, longest: int, shortest: int, max_pixels: int = MAX_PIXELS
) -> Photograph:
    """Decode a photograph that will be made smaller, with its sides divided by two, four or eight where they may be.

    A JPEG is decoded no finer; of any other, each cell of the grid is the mean of its pixels, and only if it has more
    than fifty million of them.

    Args:
        path, max_pixels: as `decode` takes them.
        longest, shortest: no side of `image` gets smaller than these for it.

    Raises:
        PhotographError: as `decode`.
    """
    with opened(path, max_pixels) as image, refusing("decode", max_pixels), _in_turn(image):
        size, remarks = image.size, remarks_of(image)
        fraction = _fraction(size, longest, shortest)
        # Only JPEG can, and it says so.
        drafted = image.draft(None, (size[0] // fraction, size[1] // fraction)) if fraction > 1 else None
        image.load()
        if drafted:
            cells, (right, bottom) = 1, drafted[1][2:]
        else:
            size = image.size
            cells = fraction if size[0] * size[1] > _LARGE else 1
            right, bottom = size[0] / cells, size[1] / cells
        orientation = orientation_of(image)
        seen = orientation.upright(_in_cells(image, cells))
        if orientation.lying:
            size, right, bottom = size[::-1], bottom, right
        left = seen.width - right if orientation.from_right else 0
        top = seen.height - bottom if orientation.from_bottom else 0
        return Photograph(seen, size[1], size[0], (left, top, left + right, top + bottom), remarks)


def upright_size(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Height and width of what `decode` gives, in pixels; no pixel is decoded for it.

    Args:
        path, max_pixels: as `decode` takes them.

    Raises:
        PhotographError: as `decode` in stage `open`.
    """
    with opened(path, max_pixels) as image:
        return size_of(image)


def _pixels(image: Image.Image) -> np.ndarray:
    """`(H, W, 3)` uint8, upright."""
    image.load()
    orientation = orientation_of(image)
    shape = image.size if orientation.lying else image.size[::-1]
    pixels = np.empty((*shape, 3), np.uint8)
    stored = orientation.stored(pixels)
    for top, band in bands(image):
        stored[top : top + band.height] = np.asarray(band)
    return pixels


@contextmanager
def _in_turn(image: Image.Image) -> Iterator[None]:
    """A large photograph waits until no other one is decoded, and leaves the memory that it needed to all."""
    if image.width * image.height <= _LARGE:
        yield
        return
    with _one_large:
        try:
            yield
        finally:
            if _trim:
                _trim(0)


def _fraction(size: tuple[int, int], longest: int, shortest: int) -> int:
    """By how much the sides may be divided: 1, 2, 4 or 8."""
    fits = (f for f in _FRACTIONS if max(size) >= f * longest and min(size) >= f * max(1, shortest))
    return next(fits, 1)


def _in_cells(image: Image.Image, side: int) -> Image.Image:
    """An image as RGB, each of its pixels the mean of `side x side`."""
    if side == 1 and is_plain(image):
        return image
    small = Image.new("RGB", (-(-image.width // side), -(-image.height // side)))
    for top, band in bands(image):
        small.paste(band.reduce(side) if side > 1 else band, (0, top // side))
    image.close()  # its memory is needed for turning the other
    return small
