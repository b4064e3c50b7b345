"""Pictures made in memory, and the pieces that they are put together from."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from engine.images.decode import decode

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def scene(width: int = 24, height: int = 16) -> Image.Image:
    """Four plain quarters, so that a turn or a swapped channel shows even after JPEG."""
    array = np.zeros((height, width, 3), np.uint8)
    array[: height // 2, : width // 2] = 220, 30, 30
    array[: height // 2, width // 2 :] = 30, 200, 30
    array[height // 2 :, : width // 2] = 30, 30, 210
    array[height // 2 :, width // 2 :] = 240, 240, 60
    return Image.fromarray(array)


def noise(width: int = 64, height: int = 48) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.copy().save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(tmp_path: Path, data: bytes) -> np.ndarray:
    (tmp_path / "picture").write_bytes(data)
    return decode(tmp_path / "picture")


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


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


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
