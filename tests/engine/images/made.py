"""Pictures made in memory, the pieces that they are put together from, and folders of files."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from engine.errors import PhotographError
from engine.images.decode import decode
from engine.images.sources import find_sources

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def quarters(width: int = 24, height: int = 16) -> np.ndarray:
    """Four plain colours, so that a turn or a swapped channel shows even after JPEG."""
    array = np.zeros((height, width, 3), np.uint8)
    array[: height // 2, : width // 2] = 220, 30, 30
    array[: height // 2, width // 2 :] = 30, 200, 30
    array[height // 2 :, : width // 2] = 30, 30, 210
    array[height // 2 :, width // 2 :] = 240, 240, 60
    return array


def scene(width: int = 24, height: int = 16) -> Image.Image:
    return Image.fromarray(quarters(width, height))


def noise(width: int = 64, height: int = 48) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.copy().save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(tmp_path: Path, data: bytes) -> np.ndarray:
    """What the file `picture` is decoded to, once it holds this."""
    path = tmp_path / "picture"
    path.write_bytes(data)
    array = decode(path)
    assert array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3
    assert array.flags.c_contiguous and array.flags.writeable
    return array


def reason(path: Path) -> PhotographError:
    """Why a file is refused."""
    with pytest.raises(PhotographError) as caught:
        decode(path)
    assert "\n" not in caught.value.reason
    assert str(path) not in caught.value.reason
    return caught.value


def segment(code: int, content: bytes) -> bytes:
    """Of a JPEG."""
    return bytes((0xFF, code)) + struct.pack(">H", len(content) + 2) + content


def chunk(kind: bytes, content: bytes) -> bytes:
    """Of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, bits: int, colours: int, rows: bytes, *between: bytes, behind: bytes = b"") -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(between) + data + behind + chunk(b"IEND", b"")


def png_header(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and has no pixel."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


# What a camera held that way stores: the inverse of what a viewer must do.
LYING: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


def turned(orientation: int, kind: str, **options: Any) -> bytes:
    """The scene as it is stored in an EXIF orientation."""
    stored = Image.fromarray(np.ascontiguousarray(LYING[orientation](quarters())))
    return encoded(stored, kind, exif=exif(orientation), **options)


def swapped_primaries(padding: int = 0) -> bytes:
    """An sRGB profile under another name whose red and green primaries are exchanged, with unused bytes at its end."""
    profile = bytearray(SRGB)
    for tag, other in ((b"rXYZ", b"tmpX"), (b"gXYZ", b"rXYZ"), (b"tmpX", b"gXYZ")):
        at = profile.index(tag, 128)
        profile[at : at + 4] = other
    profile = bytearray(bytes(profile).replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be")))
    profile += np.random.default_rng(0).bytes(padding)
    profile[:4] = struct.pack(">I", len(profile))
    return bytes(profile)


def make(root: Path, *names: str) -> None:
    """Empty files."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def names(*inputs: object, stdin: bytes | None = None) -> list[str]:
    """What is found, by its names."""
    stream = None if stdin is None else io.BytesIO(stdin)
    return [source.file_name for source in find_sources([str(given) for given in inputs], stream)]
