"""Pictures of class numbers in every way in which they are written."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from trainer.data.formats.pictures import read_colours, read_index

INDEX = np.arange(12, dtype=np.uint8).reshape(3, 4)
WHAT = "a picture of labels"


def palette(index: np.ndarray) -> Image.Image:
    """Of colours that are not the numbers."""
    image = Image.fromarray(index)
    image.putpalette([255 - n // 3 for n in range(768)])
    return image


def png(image: Image.Image | np.ndarray, **options: Any) -> bytes:
    out = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(out, "PNG", **options)
    return out.getvalue()


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize(
    "content",
    [
        png(INDEX),
        png(palette(INDEX)),
        png(palette(INDEX), bits=4),
        png(palette(INDEX), transparency=3),
        png(INDEX.astype(np.uint16)),
        png(np.stack([INDEX] * 3, -1)),
        png(np.stack([*[INDEX] * 3, np.full_like(INDEX, 255)], -1)),
        png(np.stack([INDEX, np.full_like(INDEX, 255)], -1)),
        png(INDEX, icc_profile=bytes(100)),
    ],
    ids=["grey", "palette", "4 bits", "transparent index", "16", "rgb", "rgba", "la", "profile"],
)
def test_the_numbers_are_the_same_however_they_are_written(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    for source in (tmp_path / "a.png", content):
        found = read_index(source, WHAT)
        assert np.issubdtype(found.dtype, np.integer) and np.array_equal(found, INDEX)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_greys_of_few_bits_are_not_stretched(tmp_path: Path, bits: int) -> None:
    """Decoders make shades of eight bits of them: 0, 85, 170 and 255 for 0 to 3."""
    index = INDEX % (1 << bits)
    (tmp_path / "a.png").write_bytes(few_bits(index, bits))
    assert np.array_equal(read_index(tmp_path / "a.png", WHAT), index)


def few_bits(index: np.ndarray, bits: int) -> bytes:
    """A grey PNG of 1, 2 or 4 bits; Pillow writes only those of one."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b""
    for row in index.tolist():
        word = 0
        for value in row:
            word = word << bits | value
        padding = -len(row) * bits % 8
        rows += b"\0" + (word << padding).to_bytes((len(row) * bits + padding) // 8, "big")
    head = struct.pack(">IIBBBBB", index.shape[1], index.shape[0], bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_values_of_sixteen_bits_are_whole(tmp_path: Path) -> None:
    index = np.array([[0, 255, 256, 40_000]], np.uint16)
    assert read_index(png(index), WHAT).tolist() == index.tolist()


def test_a_picture_is_turned_as_its_photograph_is(tmp_path: Path) -> None:
    told: list[str] = []
    assert read_index(png(INDEX, exif=turned(6)), WHAT, told.append).tolist() == np.rot90(INDEX, -1).tolist()
    assert read_index(png(palette(INDEX), exif=turned(3)), WHAT, told.append).tolist() == INDEX[::-1, ::-1].tolist()
    assert len(told) == 2 and all("EXIF orientation" in one for one in told)
    assert read_index(png(INDEX, exif=turned(1)), WHAT, told.append).tolist() == INDEX.tolist()
    assert len(told) == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (png(np.stack([INDEX, INDEX, 255 - INDEX], -1)), "with more than one number per pixel"),
        (png(np.stack([*[INDEX] * 3, INDEX], -1)), "that is transparent in places"),
        (png(np.stack([INDEX, INDEX], -1)), "that is transparent in places"),
        (png(INDEX)[:40], "that can't be read"),
        (b"no picture", "that can't be read"),
        (b"", "that can't be read"),
    ],
)
def test_what_is_no_index_is_told(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.png").write_bytes(content)
    for source in (tmp_path / "a.png", content):
        with pytest.raises(ValueError, match=f"a picture of labels {reason}") as caught:
            read_index(source, WHAT)
        assert "\n" not in str(caught.value)


def test_floating_point_is_no_index(tmp_path: Path) -> None:
    Image.fromarray(INDEX.astype(np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match="more than one number per pixel"):
        read_index(tmp_path / "a.tif", WHAT)


def test_a_picture_that_claims_to_be_vast_is_not_decoded() -> None:
    vast = few_bits(np.zeros((1, 8), np.uint8), 1)
    vast = vast[:16] + (100_000).to_bytes(4, "big") * 2 + vast[24:]
    with pytest.raises(ValueError, match="can't be read"):
        read_index(vast, WHAT)


def test_colours(tmp_path: Path) -> None:
    colours = np.stack([INDEX, INDEX + 1, INDEX * 2], -1)
    assert np.array_equal(read_colours(png(colours), WHAT), colours)
    opaque = np.dstack([colours, np.full_like(INDEX, 255)])
    assert np.array_equal(read_colours(png(opaque), WHAT), colours)
    few = Image.fromarray(colours).quantize(64)
    assert np.array_equal(read_colours(png(few), WHAT), np.asarray(few.convert("RGB")))
    for other in (INDEX, np.dstack([colours, INDEX])):
        with pytest.raises(ValueError):
            read_colours(png(other), WHAT)
