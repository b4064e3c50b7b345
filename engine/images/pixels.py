"""The pixels of a decoded picture as they are to be seen: in sRGB, on white, a band of rows at a time.

Taken band by band, a picture needs no more memory than it has itself, whatever it takes to convert one.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from PIL import Image, ImageCms

from engine.errors import PhotographError

_BAND = 1 << 22
"""Pixels of a band, about."""
ROWS = 8
"""Bands begin at multiples of so many rows, so that each may be made smaller without its neighbours."""

_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")

Transform = Callable[[str], ImageCms.ImageCmsTransform | None]
"""Of the mode of pixels: what brings them into sRGB, or None if they can only be taken for that."""


def is_plain(image: Image.Image) -> bool:
    """Whether the pixels are as they are to be seen already."""
    return image.mode == "RGB" and not image.has_transparency_data and not image.info.get("icc_profile")


def bands(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """The rows of an image from top to bottom, some at a time, as RGB; each band with where it begins.

    Raises:
        PhotographError: if it is not known how its pixels are to be seen.
    """
    rows = max(1, _BAND // (image.width * ROWS)) * ROWS
    profile = image.info.get("icc_profile")

    @cache
    def transform(mode: str) -> ImageCms.ImageCmsTransform | None:
        return _transform(profile, mode)

    for top in range(0, image.height, rows):
        bottom = min(image.height, top + rows)
        band = image if bottom - top == image.height else image.crop((0, top, image.width, bottom))
        yield top, _to_rgb(band, transform)


def _to_rgb(image: Image.Image, transform: Transform) -> Image.Image:
    alpha: Image.Image | None = None
    if image.mode in _SIXTEEN_BITS or image.mode == "I":
        samples = np.asarray(image)
        if "transparency" in image.info:
            alpha = Image.fromarray(samples != image.info["transparency"]).convert("L")
        image = _from_deep_grey(samples)
    elif image.mode == "F":
        raise PhotographError("decode", "floating-point samples have no known range: convert it to 8 or 16 bits")
    elif image.has_transparency_data:
        # A profile is of grey or of colours, and must meet what it is of.
        grey = image.mode in ("1", "L", "LA", "La")
        with_alpha = image.convert("RGBA")
        alpha = with_alpha.getchannel("A")
        image = with_alpha.convert("RGB")
        image = image.getchannel("R") if grey else image
    elif image.mode == "P":
        image = image.convert("RGB")
    found = transform(image.mode)
    colours = image.convert("RGB") if found is None else found.apply(image)
    if alpha is None:
        return colours
    white = Image.new("RGB", colours.size, "white")
    white.paste(colours, mask=alpha)
    return white


def _from_deep_grey(samples: np.ndarray) -> Image.Image:
    """`(H, W)` of 16 bits, or of 32 bits that hold 16, scaled to 8."""
    if samples.min() < 0 or samples.max() > 65535:
        raise PhotographError("decode", "32-bit samples have no known range: convert it to 8 or 16 bits")
    return Image.fromarray(((samples.astype(np.uint32) + 128) // 257).astype(np.uint8))


def _transform(profile: object, mode: str) -> ImageCms.ImageCmsTransform | None:
    if not isinstance(profile, bytes) or mode not in ("RGB", "L", "CMYK"):
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if mode == "RGB" and "sRGB" in ImageCms.getProfileDescription(source):
            return None
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    # A profile that is damaged, or of another colour space than the pixels, is as good as none.
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
