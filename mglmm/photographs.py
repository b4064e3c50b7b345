"""What may be given as a photograph, and as several of them.

A photograph is

- a file (`str` or path): read as the program reads it;
- a Pillow image: turned upright by its EXIF orientation and brought to sRGB, as a file is;
- an array of uint8: `(H, W, 3)` RGB, `(H, W, 4)` RGBA (transparency becomes white) or `(H, W)` grey, upright.
  Arrays of OpenCV are BGR, and have to be turned round: `array[..., ::-1]`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image

from engine.errors import PhotographError, UsageError
from engine.images.decode import decode, decode_open
from engine.images.sources import InMemory, Source, find_sources
from engine.text.names import to_text
from mglmm.arguments import expected

Photograph: TypeAlias = str | os.PathLike[str] | Image.Image | np.ndarray

_PHOTOGRAPH = "a path, a Pillow image, or an array of uint8, (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) grey"
_CHANNELS = (3, 4)


def check(name: str, photograph: object) -> None:
    """Look at a photograph's type and shape, not at its content.

    Raises:
        UsageError: if it is none.
    """
    if isinstance(photograph, str | os.PathLike | Image.Image):
        return
    if not isinstance(photograph, np.ndarray) or photograph.dtype != np.uint8 or not _is_picture(photograph.shape):
        raise expected(name, _PHOTOGRAPH, photograph)


def read(photograph: Photograph, max_pixels: int) -> np.ndarray:
    """The pixels of a photograph, uint8 `(H, W, 3)`, upright RGB.

    Args:
        photograph: that has been checked.
        max_pixels: files and Pillow images of more are refused.

    Raises:
        PhotographError: if it can't be read.
    """
    if isinstance(photograph, Image.Image):
        return decode_open(photograph, max_pixels=max_pixels)
    if not isinstance(photograph, np.ndarray):
        return decode(photograph, max_pixels=max_pixels)
    if photograph.ndim == 3 and photograph.shape[2] == 3:
        return photograph
    return decode_open(Image.fromarray(photograph), max_pixels=photograph.size)


def sources(photos: Photograph | Iterable[Photograph], max_pixels: int) -> Iterator[Source | InMemory]:
    """Photographs, folders and patterns as a lazy stream.

    A path, or a list of nothing but paths, is what the program takes as INPUT: files, folders and patterns, which must
    be there. In a list with images, and from an iterator, each path is a file. An image is copied when its turn comes.
    What an iterator gives is looked at then, and what is no photograph fails as one.

    Raises:
        UsageError: at once, if an argument or an item of a list is none of this, or an INPUT yields nothing.
    """
    if isinstance(photos, str | os.PathLike):
        return find_sources([os.fspath(photos)], None)
    if isinstance(photos, Image.Image | np.ndarray):
        check("photos", photos)
        return _stream([photos], max_pixels)
    if isinstance(photos, bytes | bytearray | Mapping) or not isinstance(photos, Iterable):
        raise expected("photos", f"{_PHOTOGRAPH}; a folder or a pattern; or several of them", photos)
    if not isinstance(photos, list | tuple):
        return _stream(photos, max_pixels)
    for index, photograph in enumerate(photos):
        check(f"photos[{index}]", photograph)
    paths = [os.fspath(photograph) for photograph in photos if isinstance(photograph, str | os.PathLike)]
    if paths and len(paths) == len(photos):
        return find_sources(paths, None)
    return _stream(photos, max_pixels)


def _stream(photos: Iterable[Photograph], max_pixels: int) -> Iterator[Source | InMemory]:
    for index, photograph in enumerate(photos):
        if isinstance(photograph, str | os.PathLike):
            yield Source(Path(os.path.abspath(photograph)), to_text(Path(photograph).as_posix()), os.fspath(photograph))
        else:
            yield InMemory(str(index), _taken(photograph, max_pixels))


def _taken(photograph: Image.Image | np.ndarray, max_pixels: int) -> np.ndarray | PhotographError:
    """The pixels of an image, or why there are none.

    A copy, at once: films hand out one image or buffer again and again, and it would be read when it is another frame.
    """
    try:
        check("a photograph", photograph)
        return np.array(read(photograph, max_pixels))
    except PhotographError as error:
        return error
    except UsageError as error:
        return PhotographError("open", str(error))


def _is_picture(shape: tuple[int, ...]) -> bool:
    return 0 not in shape and (len(shape) == 2 or (len(shape) == 3 and shape[2] in _CHANNELS))
