"""What a user should know of a photograph's file, told before its pixels are decoded."""

from __future__ import annotations

from collections.abc import Iterator

from PIL import GifImagePlugin, Image, TiffImagePlugin

from engine.images.formats import SEVERAL
from engine.images.orientation import orientation_of
from engine.records import Remark


def remarks_of(image: Image.Image) -> frozenset[Remark]:
    """What is to be said of an opened picture."""
    return frozenset(_remarks(image))


def _remarks(image: Image.Image) -> Iterator[Remark]:
    if orientation_of(image).turn is not None:
        yield "turned"
    if _has_several(image):
        yield "several pictures"


def _has_several(image: Image.Image) -> bool:
    try:
        if isinstance(image, GifImagePlugin.GifImageFile):
            return bool(image.is_animated)
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            return bool(image.tag_v2.next)  # where its next directory lies
        return SEVERAL in image.info
    except Exception:  # what comes behind the first picture may be damaged in any way: that one counts
        return False
