"""JPEG: segments, each with its length, then scans of compressed pixels up to the end of the image.

Source: ITU-T T.81, annex B; what decoders make of bytes that should not be there is libjpeg's way.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from engine.images.formats import METADATA, Contents
from engine.images.reading import Part, PictureFile, Stretch

_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
"""A byte pair that stands for itself: not compressed data, a restart, or a filler."""
_BLOCK = 1 << 18
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_APPLICATIONS, _COMMENT = range(0xE0, 0xF0), 0xFE

_NOTES = {
    0xE0: (b"JFIF\0",),
    0xE1: (b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"),
    0xE2: (b"ICC_PROFILE\0",),
    0xEE: (b"Adobe",),
}
"""Segments of programs that say which colours the picture has and where its top is. Not the index of several pictures
in one file: the first one is the photograph, and decoders have been known to stumble over the others."""
_LONGEST_NOTE = 32


def take_apart(file: PictureFile) -> Contents:
    """The first picture of a JPEG file.

    Raises:
        PhotographError: if it is in too many pieces to be read.
    """
    parts: list[Part] = [Stretch(0, 2)]
    channels, progressive = 0, False
    noted: Counter[int] = Counter()
    for at, code, length in _segments(file, 2):
        segment = Stretch(at, at + 2 + length)
        if code == _SCAN:
            first = file.read_at(at + 4, 1)
            if channels and first == bytes((channels,)) and not progressive:
                # All of the picture is in this one.
                return Contents((*parts, Stretch(at, file.size)))
            scans, end = _scans(file, at)
            return Contents((*parts, Stretch(at, end)), scans=scans)
        if code in _FRAMES:
            channels, progressive = (file.read_at(at + 9, 1) or b"\0")[0], code in _PROGRESSIVE
        if code in _APPLICATIONS:
            head = file.read_at(at + 4, min(length, _LONGEST_NOTE))
            if not head.startswith(_NOTES.get(code, ())) or noted[code] + length > METADATA:
                continue
            noted[code] += length
        if code not in (_START, _COMMENT):
            parts.append(segment)
        if code == _END:
            break
    return Contents(tuple(parts))


def _scans(file: PictureFile, at: int) -> tuple[int, int]:
    """How many scans the picture has from the first one on, and where it ends."""
    scans = 0
    for place, code, _ in _segments(file, at):
        if code == _END:
            return scans, place + 2
        scans += code == _SCAN
    return scans, file.size


def _segments(file: PictureFile, at: int) -> Iterator[tuple[int, int, int]]:
    """Each marker from a place on: where it is, its code, and the length that it says, with the two bytes of that."""
    while (place := _next_marker(file, at)) is not None:
        head = file.read_at(place + 1, 3)
        code, length = head[0], int.from_bytes(head[1:], "big")
        if code in (_START, _END):
            length = 0
        elif length < 2:
            return  # no decoder gets any further
        yield place, code, length
        at = place + 2 + length


def _next_marker(file: PictureFile, at: int) -> int | None:
    """Where the next marker is, over whatever stands in front of it."""
    size = 2  # where it should be
    while len(block := file.read_at(at, size)) > 1:
        if found := _MARKER.search(block):
            return at + found.start()
        at += len(block) - 1  # the last byte may be the first of a marker
        size = min(8 * size, _BLOCK)  # so that no more is read than is passed over, about
    return None
