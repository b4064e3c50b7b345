"""What a picture's file is made of, as far as it must be known before a decoder gets to see it.

A phone's photograph may have a film behind it, notes of megabytes inside it and a second picture beside it; and a file
may be made to fill the memory before its size is known. So a file is taken apart first: the decoder sees the picture's
own parts, the metadata that matter here are read within bounds, and the rest stays unread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.images.reading import Part


@dataclass(frozen=True, slots=True)
class Contents:
    """A picture's file, taken apart.

    Attributes:
        parts: what a decoder is to see; None for the whole file.
        info: metadata that are not in the parts, by the names that Pillow has for them.
        size: width and height in pixels, where a decoder would take memory before it says them.
        scans: how often the picture is drawn, where that is known.
    """

    parts: tuple[Part, ...] | None = None
    info: Mapping[str, bytes | str] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    scans: int = 1


SEVERAL = "several pictures"
"""Stands in `info` where a file holds more than the one that is taken from it."""
METADATA = 16 << 20
"""Bytes of each kind of metadata that are read: as many as a JPEG can hold of a colour profile."""
