"""GIF: a screen, then blocks; the first image need not cover the screen, and may be larger.

Source: https://www.w3.org/Graphics/GIF/spec-gif89a.txt
"""

from __future__ import annotations

import struct

from engine.images.formats import Contents
from engine.images.reading import Part, PictureFile, Stretch

_HEAD = 13
_EXTENSION, _IMAGE, _TRAILER = b"\x21", b"\x2c", b"\x3b"
_CONTROL = b"\xf9"


def take_apart(file: PictureFile) -> Contents:
    """The first image of a GIF file; comments and what is said about the animation stay behind.

    Raises:
        PhotographError: if it is in too many pieces to be read.
    """
    head = file.read_at(0, _HEAD).ljust(_HEAD, b"\0")
    width, height, flags = struct.unpack("<HHB", head[6:11])
    at = _HEAD + _palette(flags)
    parts: list[Part] = [Stretch(0, at)]
    while (kind := file.read_at(at, 1)) not in (b"", _IMAGE, _TRAILER):
        start, at = at, at + 1
        if kind != _EXTENSION:
            continue  # what should not be there
        label = file.read(1)
        at += 1
        while count := file.read_at(at, 1):
            at += 1 + count[0]
            if not count[0]:
                break
        if label == _CONTROL:
            parts.append(Stretch(start, at))
    if kind == _IMAGE and len(place := file.read_at(at + 1, 8)) == 8:
        left, top, wide, high = struct.unpack("<4H", place)
        width, height = max(width, left + wide), max(height, top + high)
    return Contents((*parts, Stretch(at, file.size)), size=(width, height))


def _palette(flags: int) -> int:
    """Bytes of the palette that follows a head with these flags."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
