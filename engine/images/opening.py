"""Opening a photograph's file: what it is, how large it is and what it costs is known before a pixel is decoded."""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import BinaryIO, NoReturn, cast

from PIL import Image, UnidentifiedImageError

from engine.errors import PhotographError
from engine.images.formats import Contents, gif, jpeg, png, webp
from engine.images.formats.kinds import HEAD, READABLE, format_of, is_address, next_step, other_kind
from engine.images.reading import Excerpt, PictureFile

MAX_PIXELS = 250_000_000
"""The largest photograph taken unless the user says otherwise: 250 megapixels. Telephones make 200."""

_PILLOWS_LIMIT = 1_000_000_000
"""Pillow has a limit for all of the process. It is raised to this, always the same, so that no thread changes what
another one was allowed; what a photograph is allowed is checked here."""
_BYTES_PER_PIXEL = 8
"""Four channels of 16 bits: no picture of the largest size needs a larger file, however badly it is packed."""
_BYTES_BESIDE = 64 << 20
"""What a file may hold beside its pixels."""
_SCANS, _DRAWN = 100, 9_000_000_000
"""Scans of a JPEG, and pixels drawn in all of them. Each costs as much as the whole picture and may take a hundred
bytes; encoders write ten."""

_CONTENTS: Mapping[str, Callable[[PictureFile], Contents]] = {
    "JPEG": jpeg.take_apart,
    "PNG": png.take_apart,
    "WEBP": webp.take_apart,
    "GIF": gif.take_apart,
}

# Pillow's remarks about odd metadata and large sizes name no file; what matters is checked here.
warnings.filterwarnings("ignore", module=r"PIL\.")


@contextmanager
def opened(path: str | os.PathLike[str], max_pixels: int) -> Iterator[Image.Image]:
    """A photograph that is not decoded yet, of a size that is allowed.

    Raises:
        PhotographError: in stage `open`, if it is none.
    """
    if Image.MAX_IMAGE_PIXELS is not None and Image.MAX_IMAGE_PIXELS < _PILLOWS_LIMIT:
        Image.MAX_IMAGE_PIXELS = _PILLOWS_LIMIT
    with refusing("open", max_pixels), _open(path, max_pixels) as file:
        name = _format(file)
        contents = _CONTENTS[name](file) if name in _CONTENTS else Contents()
        if contents.size:
            check_size(contents.size, max_pixels)
        seen = file if contents.parts is None else cast(BinaryIO, Excerpt(file, contents.parts))
        if name == "HEIF":
            _register_heif()
        with Image.open(seen, formats=(name,)) as image:
            check_size(image.size, max_pixels)
            _check_scans(contents.scans, image.size)
            image.info.update(contents.info)
            yield image


@cache
def _register_heif() -> None:
    from pillow_heif import register_heif_opener

    register_heif_opener()


@contextmanager
def refusing(stage: str, max_pixels: int) -> Iterator[None]:
    """Whatever goes wrong inside is a `PhotographError` of this stage."""
    try:
        yield
    except PhotographError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PhotographError(stage, f"too large: more than {max_pixels / 1e6:.1f} megapixels (--max-pixels)") from None
    except UnidentifiedImageError:
        raise PhotographError(stage, f"not a {READABLE} picture, or damaged") from None
    except MemoryError:
        raise PhotographError(stage, "not enough memory to decode it") from None
    # Damaged files make decoders raise nearly everything: OSError, SyntaxError, struct.error, ValueError, ...
    except Exception as error:
        _refuse(stage, error)


def _open(path: str | os.PathLike[str], max_pixels: int) -> PictureFile:
    try:
        # Before opening: to open a named pipe waits for somebody to write.
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise PhotographError("open", _about_folder(path))
        if not stat.S_ISREG(status.st_mode):
            raise PhotographError("open", "not a regular file")
        if status.st_size == 0:
            raise PhotographError("open", "the file is empty")
        most = max_pixels * _BYTES_PER_PIXEL + _BYTES_BESIDE
        if status.st_size > most:
            size = f"{status.st_size / 1e6:.0f} MB, the limit is {most / 1e6:.0f}"
            raise PhotographError("open", f"too large a file: {size} (it follows --max-pixels)")
        return PictureFile(path)
    except FileNotFoundError:
        if is_address(str(path)):
            raise PhotographError("open", "an address, no file: download it first") from None
        raise PhotographError("open", "no such file") from None
    except (OSError, ValueError) as error:
        raise PhotographError("open", _line(getattr(error, "strerror", None) or str(error)).lower()) from None


def _format(file: PictureFile) -> str:
    """Pillow's name for what a file is."""
    head = file.read_at(0, HEAD)
    name = format_of(head)
    if name is None:
        if other := other_kind(head):
            then = f": {step}" if (step := next_step(other)) else f", not a {READABLE} picture"
            raise PhotographError("open", f"a file of another kind ({other}){then}")
        raise PhotographError("open", f"not a {READABLE} picture, or damaged")
    file.seek(0)
    return name


def _about_folder(path: str | os.PathLike[str]) -> str:
    """Why a folder is among the photographs: it was named as one, or the search could not look into it."""
    try:
        os.scandir(path).close()
    except OSError as error:
        return f"can't list this folder: {(error.strerror or str(error)).lower()}"
    return "a folder, not a photograph"


def _refuse(stage: str, error: Exception) -> NoReturn:
    text = _line(str(error))
    if "truncated" in text.lower() or isinstance(error, EOFError):
        raise PhotographError(stage, "the file is truncated") from None
    detail = f" ({text})" if text else ""
    raise PhotographError(stage, f"the picture's data is damaged or of an unsupported kind{detail}") from None


def _line(text: str) -> str:
    # A decoder may quote what it has read.
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in " ".join(text.split())[:200])


def check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise PhotographError("open", f"has no pixels ({width} x {height})")
    if width * height > max_pixels:
        megapixels, limit = width * height / 1e6, max_pixels / 1e6
        reason = f"too large: {width} x {height} is {megapixels:.1f} megapixels, the limit is {limit:.1f}"
        raise PhotographError("open", f"{reason} (--max-pixels)")


def _check_scans(scans: int, size: tuple[int, int]) -> None:
    """Refuse a JPEG that draws its picture over and over."""
    most = min(_SCANS, _DRAWN // (size[0] * size[1]))
    if scans > max(most, 1):
        raise PhotographError("open", f"more than {most} scans: made to take long, not to be looked at")
