"""A photograph as the page shows it: small enough to open at once, masks in the same frame.

Legend: `H x W` is the upright photograph, `h x w` the frame of the page, in pixels; `h x w` is `H x W` where that is
small enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from engine.errors import PhotographError
from engine.images.decode import decode_at_least
from engine.masks import rle
from engine.records import RLE

LARGE, SMALL = 1024, 240
"""Longest sides, in pixels."""
_QUALITY = {LARGE: 82, SMALL: 72}


@dataclass(frozen=True, slots=True)
class Frame:
    """Height and width."""

    height: int
    width: int

    def within(self, longest: int) -> Frame:
        """This one made smaller, if it must be."""
        scale = min(1.0, longest / max(self.height, self.width, 1))
        return Frame(max(1, round(self.height * scale)), max(1, round(self.width * scale)))


def write_pictures(photograph: Path | None, frame: Frame | None, large: Path, small: Path) -> str:
    """Write a photograph as two JPEG files.

    Args:
        photograph: its file.
        frame: `H x W`; a file of another size is another photograph. None where that is not known.
        large, small: where to.

    Returns:
        why it can't be shown; empty if it can.

    Raises:
        OSError: if the folder can't be written.
    """
    if photograph is None:
        return "the run does not say where it lay"
    try:
        seen = decode_at_least(photograph, longest=LARGE, shortest=1)
    except PhotographError as error:
        return error.reason
    found = Frame(seen.height, seen.width)
    if frame not in (None, found):
        return f"its file has {seen.width} x {seen.height} pixels, it had {frame.width} x {frame.height}"
    image, box = seen.image, seen.box
    for path, longest in ((large, LARGE), (small, SMALL)):
        size = found.within(longest)
        image = image.resize((size.width, size.height), Image.Resampling.LANCZOS, box)
        box = (0, 0, size.width, size.height)
        with path.open("wb") as file:
            image.save(file, "JPEG", quality=_QUALITY[longest])
    return ""


def in_frame(mask: RLE, frame: Frame) -> RLE:
    """A mask in a frame `h x w`; one that has a pixel keeps at least one.

    Raises:
        ValueError: if it is no mask.
    """
    mask = rle.from_coco(mask.to_coco())  # the page believes what it reads
    if (mask.height, mask.width) == (frame.height, frame.width):
        return mask
    pixels = rle.decode(mask)
    rows = (np.arange(frame.height) * 2 + 1) * mask.height // (2 * frame.height)
    columns = (np.arange(frame.width) * 2 + 1) * mask.width // (2 * frame.width)
    small = pixels[rows[:, None], columns]
    if not small.any():
        below, beside = np.nonzero(pixels)
        small[below * frame.height // mask.height, beside * frame.width // mask.width] = True
    return rle.encode(small[None])[0]
