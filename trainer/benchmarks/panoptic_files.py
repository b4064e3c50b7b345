"""COCO's pictures of segments: an id per pixel in three colours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.errors import UsageError


def read_ids(path: Path) -> NDArray[np.int64]:
    """The id of the segment of every pixel, `(H, W)`, 0 where there is none.

    Raises:
        UsageError: if the picture is missing or not one of segments.
    """
    with _opened(path) as picture:
        colours = np.asarray(picture)
    red, green, blue = (colours[..., channel].astype(np.int64) for channel in range(3))
    return red + 256 * green + 65536 * blue


def read_size(path: Path) -> tuple[int, int]:
    """Height and width of such a picture, by its header.

    Raises:
        UsageError: as `read_ids`.
    """
    with _opened(path) as picture:
        return picture.height, picture.width


def write_ids(path: Path, ids: NDArray[np.int64]) -> None:
    """Write a map of ids as a PNG."""
    colours = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(colours).save(path)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as picture:
            if picture.mode != "RGB":
                raise UsageError(f"{path}: a picture of segments has three colours, this one is {picture.mode}")
            yield picture
    except UsageError:
        raise
    except FileNotFoundError:
        raise UsageError(f"{path}: no such picture of segments") from None
    except Exception as error:  # damaged files make decoders raise nearly everything
        raise UsageError(f"{path}: not a picture of segments ({' '.join(str(error).split())})") from None
