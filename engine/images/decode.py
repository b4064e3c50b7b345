"""A file of any bytes becomes an upright RGB array, or a one-line reason why not."""

from __future__ import annotations

import io
import os
import stat
import warnings
from pathlib import Path
from typing import NoReturn

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from engine.errors import PhotographError

MAX_PIXELS = 89_478_485
"""The largest photograph taken, 89.5 megapixels: where Pillow itself begins to suspect a decompression bomb."""

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")

# Pillow's remarks about odd metadata and large sizes name no file; what matters is checked here.
warnings.filterwarnings("ignore", module=r"PIL\.")


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
    stage = "open"
    try:
        with _open(path) as file, Image.open(file, formats=_FORMATS) as image:
            _check_size(image.size, max_pixels)
            stage = "decode"
            image.load()
            return _to_array(image)
    except PhotographError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PhotographError(stage, f"too large: more than {max_pixels / 1e6:.1f} megapixels") from None
    except UnidentifiedImageError:
        raise PhotographError(stage, "not a JPEG, PNG, WebP, BMP, TIFF or GIF picture, or damaged") from None
    except MemoryError:
        raise PhotographError(stage, "not enough memory to decode it") from None
    # Damaged files make decoders raise nearly everything: OSError, SyntaxError, struct.error, ValueError, ...
    except Exception as error:
        _refuse(stage, error)


def _open(path: str | os.PathLike[str]) -> io.BufferedReader:
    try:
        # Before opening: to open a named pipe waits for somebody to write.
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise PhotographError("open", "a folder, not a photograph")
        if not stat.S_ISREG(status.st_mode):
            raise PhotographError("open", "not a regular file")
        if status.st_size == 0:
            raise PhotographError("open", "the file is empty")
        return Path(path).open("rb")
    except FileNotFoundError:
        raise PhotographError("open", "no such file") from None
    except (OSError, ValueError) as error:
        raise PhotographError("open", _line(getattr(error, "strerror", None) or str(error)).lower()) from None


def _refuse(stage: str, error: Exception) -> NoReturn:
    text = _line(str(error))
    if "truncated" in text.lower() or isinstance(error, EOFError):
        raise PhotographError(stage, "the file is truncated") from None
    detail = f" ({text})" if text else ""
    raise PhotographError(stage, f"the picture's data is damaged or of an unsupported kind{detail}") from None


def _line(text: str) -> str:
    return " ".join(text.split())[:200]


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise PhotographError("open", f"has no pixels ({width} x {height})")
    if width * height > max_pixels:
        megapixels, limit = width * height / 1e6, max_pixels / 1e6
        reason = f"too large: {width} x {height} is {megapixels:.1f} megapixels, the limit is {limit:.1f}"
        raise PhotographError("open", reason)


def _to_array(image: Image.Image) -> np.ndarray:
    image = _upright(image)
    if image.mode in _SIXTEEN_BITS or image.mode == "I":
        return _from_deep_grey(np.asarray(image))
    if image.mode == "F":
        raise PhotographError("decode", "floating-point samples have no known range: convert it to 8 or 16 bits")
    if image.has_transparency_data:
        with_alpha = image.convert("RGBA")
        colours = _to_srgb(with_alpha.convert("RGB"), image.info.get("icc_profile"))
        white = Image.new("RGB", image.size, "white")
        white.paste(colours, mask=with_alpha.getchannel("A"))
        return np.array(white)
    return np.array(_to_srgb(image, image.info.get("icc_profile")))


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # metadata too damaged to say where up is: the pixels are still good
        return image


def _from_deep_grey(samples: np.ndarray) -> np.ndarray:
    """`(H, W)` of 16 bits, or of 32 bits that hold 16, scaled to uint8 `(H, W, 3)`."""
    if samples.min() < 0 or samples.max() > 65535:
        raise PhotographError("decode", "32-bit samples have no known range: convert it to 8 or 16 bits")
    grey = ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def _to_srgb(image: Image.Image, profile: object) -> Image.Image:
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
    return image.convert("RGB")
