"""COCO's pictures of segments: an id per pixel in three colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.errors import PhotographError, UsageError
from engine.images.decode import upright_size
from trainer.data.formats.pictures import read_colours


def read_ids(path: Path) -> NDArray[np.int64]:
    """The id of the segment of every pixel, `(H, W)`, 0 where there is none.

    Raises:
        UsageError: if the picture is missing or not one of segments.
    """
    try:
        colours = read_colours(path, "a picture of segments")
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None
    red, green, blue = (colours[..., channel].astype(np.int64) for channel in range(3))
    return red + 256 * green + 65536 * blue


def read_size(path: Path) -> tuple[int, int]:
    """Height and width of such a picture, by its header.

    Raises:
        UsageError: as `read_ids`.
    """
    try:
        return upright_size(path)
    except PhotographError as error:
        raise UsageError(f"{path}: a picture of segments that can't be read: {error.reason}") from None


def write_ids(path: Path, ids: NDArray[np.int64]) -> None:
    """Write a map of ids as a PNG."""
    colours = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(colours).save(path)
