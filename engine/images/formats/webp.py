"""WebP: chunks in a RIFF file, the first of which says how large the picture is.

Source: RFC 9649.
"""

from __future__ import annotations

import struct

from engine.images.formats import SEVERAL, Contents
from engine.images.reading import PictureFile, Stretch

_HEAD = 30
_ANIMATED = 2
"""Among the flags of an extended file."""


def take_apart(file: PictureFile) -> Contents:
    """The picture of a WebP file, without what stands behind it.

    Raises:
        PhotographError: if it can't be read.
    """
    head = file.read_at(0, _HEAD).ljust(_HEAD, b"\0")
    (length,) = struct.unpack("<I", head[4:8])
    end = min(file.size, 8 + length + length % 2)
    info = {SEVERAL: "yes"} if head[12:16] == b"VP8X" and head[20] & _ANIMATED else {}
    return Contents((Stretch(0, end),), info, size=_canvas(head[12:16], head[20:]))


def _canvas(kind: bytes, data: bytes) -> tuple[int, int] | None:
    """Width and height, from the first ten bytes of the first chunk."""
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[4:7], "little"), 1 + int.from_bytes(data[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(data[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[6:10])
        return width & 0x3FFF, height & 0x3FFF
    return None
