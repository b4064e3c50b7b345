"""COCO's pictures of segments: an id per pixel in three colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from engine.errors import UsageError

_WEIGHTS = np.array([1, 256, 65536])


def read_ids(path: Path) -> NDArray[np.int64]:
    """The id of the segment of every pixel, `(H, W)`, 0 where there is none.

    Raises:
        UsageError: if the picture is missing or not one of segments.
    """
    try:
        with Image.open(path) as picture:
            if picture.mode != "RGB":
                raise UsageError(f"{path}: a picture of segments has three colours, this one is {picture.mode}")
            colours = np.asarray(picture, np.int64)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such picture of segments") from None
    except (UnidentifiedImageError, OSError) as error:
        raise UsageError(f"{path}: not a picture of segments ({error})") from None
    return colours @ _WEIGHTS


def write_ids(path: Path, ids: NDArray[np.int64]) -> None:
    """Write a map of ids as a PNG."""
    colours = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(colours).save(path)
