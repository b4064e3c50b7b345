"""A file of any bytes becomes an upright RGB array, or a one-line reason why not."""

from __future__ import annotations

import io
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from PIL import ExifTags, Image, ImageCms, TiffImagePlugin, UnidentifiedImageError

from engine.errors import PhotographError
from engine.images.reading import PictureFile

MAX_PIXELS = 89_478_485
"""The largest photograph taken unless the user says otherwise: 89.5 megapixels."""

_BYTES_PER_PIXEL = 8
"""Four channels of 16 bits: no picture of the largest size needs a larger file, however badly it is packed."""
_BYTES_BESIDE = 64 << 20
"""What a file may hold beside its pixels."""
_SCANS = 100
"""Scans of a JPEG. Every one costs as much as the whole picture and may take a hundred bytes; encoders write ten."""

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
_JPEGS = ("JPEG", "MPO")  # what the reader of the first calls itself where there are several pictures in a file
_SCAN, _PART = b"\xff\xda", 1 << 20
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
_FRACTIONS = (8, 4, 2)  # what libjpeg decodes to without decoding all first

# EXIF orientations: how to turn each upright, and which then have the stored right or bottom edge on the other side.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_FROM_RIGHT, _FROM_BOTTOM, _FIRST_LYING = (2, 3, 6, 7), (3, 4, 7, 8), 5

# Pillow's remarks about odd metadata and large sizes name no file; what matters is checked here.
warnings.filterwarnings("ignore", module=r"PIL\.")


@dataclass(frozen=True, slots=True)
class Photograph:
    """An upright photograph in sRGB, perhaps on a coarser grid than that of its file.

    Attributes:
        image: its pixels, in mode RGB.
        height, width: of the whole upright photograph, in pixels of the file.
        box: left, top, right and bottom of what of `image` is the photograph. A grid whose last cells hang over the
            photograph's edge has them outside.
    """

    image: Image.Image
    height: int
    width: int
    box: tuple[float, float, float, float]


def decode(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode a photograph: EXIF orientation applied, transparency on white, first frame, colours in sRGB.

    Args:
        path: a JPEG, PNG, WebP, BMP, TIFF or GIF file, whatever its name.
        max_pixels: the largest width x height, checked before a pixel is decoded. Pillow refuses more than
            twice `MAX_PIXELS` in any case.

    Returns:
        uint8, `(H, W, 3)`.

    Raises:
        PhotographError: in stage `open` if this is no photograph to begin with, in stage `decode` if its
            pixels can't be had. No bytes raise anything else.
    """
    with _opened(path, max_pixels) as image, _refusing("decode", max_pixels):
        return np.array(_load(image).image)


def decode_at_least(
    path: str | os.PathLike[str], *, longest: int, shortest: int, max_pixels: int = MAX_PIXELS
) -> Photograph:
    """Decode a photograph that will be made smaller: a large JPEG straight to a half, a quarter or an eighth.

    Args:
        path, max_pixels: as `decode` takes them.
        longest, shortest: no side of `image` gets smaller than these for it.

    Raises:
        PhotographError: as `decode`.
    """
    with _opened(path, max_pixels) as image, _refusing("decode", max_pixels):
        fraction = _fraction(image.size, longest, shortest)
        return _load(image, fraction)


def upright_size(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Height and width of what `decode` gives, in pixels; no pixel is decoded for it.

    Args:
        path, max_pixels: as `decode` takes them.

    Raises:
        PhotographError: as `decode` in stage `open`.
    """
    with _opened(path, max_pixels) as image:
        width, height = _stored_size(image)
        return (width, height) if _orientation(image) >= _FIRST_LYING else (height, width)


@contextmanager
def _opened(path: str | os.PathLike[str], max_pixels: int) -> Iterator[Image.Image]:
    # Pillow has a limit of its own for all of the process; what the user has allowed must not fail by it.
    if Image.MAX_IMAGE_PIXELS is not None and max_pixels > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = max_pixels
    with _refusing("open", max_pixels), _open(path, max_pixels) as file, Image.open(file, formats=_FORMATS) as image:
        _check_size(image.size, max_pixels)
        if image.format in _JPEGS:
            _check_scans(image, file)
        yield image


@contextmanager
def _refusing(stage: str, max_pixels: int) -> Iterator[None]:
    """Whatever goes wrong inside is a `PhotographError` of this stage."""
    try:
        yield
    except PhotographError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PhotographError(stage, f"too large: more than {max_pixels / 1e6:.1f} megapixels (--max-pixels)") from None
    except UnidentifiedImageError:
        raise PhotographError(stage, "not a JPEG, PNG, WebP, BMP, TIFF or GIF picture, or damaged") from None
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
        raise PhotographError("open", "no such file") from None
    except (OSError, ValueError) as error:
        raise PhotographError("open", _line(getattr(error, "strerror", None) or str(error)).lower()) from None


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


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise PhotographError("open", f"has no pixels ({width} x {height})")
    if width * height > max_pixels:
        megapixels, limit = width * height / 1e6, max_pixels / 1e6
        reason = f"too large: {width} x {height} is {megapixels:.1f} megapixels, the limit is {limit:.1f}"
        raise PhotographError("open", f"{reason} (--max-pixels)")


def _check_scans(image: Image.Image, file: PictureFile) -> None:
    """Refuse a JPEG that draws its picture over and over."""
    # The reader stopped at the first scan: its length in two bytes, then how many of the channels are in it.
    channels = file.read(3)[2:]
    whole = channels and channels[0] == len(image.getbands())
    if whole and not image.info.get("progressive"):
        return  # all of the picture is in it
    file.seek(0)
    scans, last = 0, b""
    while part := file.read(_PART):
        scans += (last + part).count(_SCAN)
        last = part[-1:]
        if scans > _SCANS:
            raise PhotographError("open", f"more than {_SCANS} scans: made to take long, not to be looked at")


def _fraction(size: tuple[int, int], longest: int, shortest: int) -> int:
    """By how much the sides may be divided: 1, 2, 4 or 8."""
    fits = (f for f in _FRACTIONS if max(size) >= f * longest and min(size) >= f * max(1, shortest))
    return next(fits, 1)


def _stored_size(image: Image.Image) -> tuple[int, int]:
    """Width and height before any turn."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        # Pillow says how it will be once loaded, upright.
        return image.tag_v2[ExifTags.Base.ImageWidth], image.tag_v2[ExifTags.Base.ImageLength]
    return image.size


def _load(image: Image.Image, fraction: int = 1) -> Photograph:
    width, height = image.size
    # Only JPEG can, and it says so.
    drafted = image.draft(None, (width // fraction, height // fraction)) if fraction > 1 else None
    image.load()
    right, bottom = drafted[1][2:] if drafted else (width, height)
    image, orientation = _upright(image)
    if orientation >= _FIRST_LYING:
        width, height, right, bottom = height, width, bottom, right
    left = image.width - right if orientation in _FROM_RIGHT else 0
    top = image.height - bottom if orientation in _FROM_BOTTOM else 0
    return Photograph(_to_rgb(image), height, width, (left, top, left + right, top + bottom))


def _to_rgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    alpha: Image.Image | None = None
    if image.mode in _SIXTEEN_BITS or image.mode == "I":
        samples = np.asarray(image)
        if "transparency" in image.info:
            alpha = Image.fromarray(samples != image.info["transparency"]).convert("L")
        image = _from_deep_grey(samples)
    elif image.mode == "F":
        raise PhotographError("decode", "floating-point samples have no known range: convert it to 8 or 16 bits")
    elif image.has_transparency_data:
        # A profile is of grey or of colours, and must meet what it is of.
        grey = image.mode in ("1", "L", "LA", "La")
        with_alpha = image.convert("RGBA")
        alpha = with_alpha.getchannel("A")
        image = with_alpha.convert("RGB")
        image = image.getchannel("R") if grey else image
    colours = _to_srgb(image, profile)
    if alpha is None:
        return colours
    white = Image.new("RGB", colours.size, "white")
    white.paste(colours, mask=alpha)
    return white


def _upright(image: Image.Image) -> tuple[Image.Image, int]:
    """The image as it is to be looked at, and the EXIF orientation that it was stored in."""
    orientation = _orientation(image)
    return (image, 1) if orientation == 1 else (image.transpose(_TURNS[orientation]), orientation)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation that an image is stored in, 1 to 8."""
    try:
        # Not its own method: that of a PNG decodes the whole picture if there is nothing in front of it.
        orientation = Image.Image.getexif(image).get(ExifTags.Base.Orientation)
    except Exception:  # metadata too damaged to say where up is: the pixels are still good
        return 1
    return int(orientation) if orientation in _TURNS else 1


def _from_deep_grey(samples: np.ndarray) -> Image.Image:
    """`(H, W)` of 16 bits, or of 32 bits that hold 16, scaled to 8."""
    if samples.min() < 0 or samples.max() > 65535:
        raise PhotographError("decode", "32-bit samples have no known range: convert it to 8 or 16 bits")
    return Image.fromarray(((samples.astype(np.uint32) + 128) // 257).astype(np.uint8))


def _to_srgb(image: Image.Image, profile: object) -> Image.Image:
    if image.mode == "P":
        image = image.convert("RGB")
    if isinstance(profile, bytes) and image.mode in ("RGB", "L", "CMYK"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if image.mode == "RGB" and "sRGB" in ImageCms.getProfileDescription(source):
                return image
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if converted is not None:
                return converted
        # A profile that is damaged, or of another colour space than the pixels, is as good as none.
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass
    return image if image.mode == "RGB" else image.convert("RGB")
