"""A PNG's picture, with as much of its metadata as matters, however large they are."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.images.decode import decode, upright_size
from tests.engine.images.made import SRGB, chunk, decoded, encoded, exif, png, scene, swapped_primaries

LONG = b"x" * 3_000_000
XMP = b'<rdf:Description tiff:Orientation="6"/>'
TURNED, AS_STORED = (24, 16, 3), (16, 24, 3)


def _with(*chunks: bytes, behind: bytes = b"") -> bytes:
    """The scene with chunks in front of its pixels, or behind them."""
    plain = encoded(scene(), "PNG")
    at = plain.index(b"IDAT") - 4
    end = plain.index(b"IEND") - 4
    return plain[:at] + b"".join(chunks) + plain[at:end] + behind + plain[end:]


def _itxt(text: bytes, packed: bool) -> bytes:
    return b"XML:com.adobe.xmp\0" + bytes((packed, 0)) + b"\0\0" + (zlib.compress(text) if packed else text)


LARGE = {
    "zTXt": chunk(b"zTXt", b"parameters\0\0" + zlib.compress(LONG)),
    "iTXt packed": chunk(b"iTXt", _itxt(LONG, True)),
    "iTXt": chunk(b"iTXt", _itxt(LONG, False)),
    "tEXt": chunk(b"tEXt", b"parameters\0" + LONG),
    "text without key": chunk(b"tEXt", LONG),
    "iCCP": chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(SRGB + bytes(3_000_000))),
    "eXIf": chunk(b"eXIf", b"II*\0\x08\0\0\0\0\0" + bytes(3_000_000)),
    "private": chunk(b"prVt", LONG),
    "many": b"".join(chunk(b"zTXt", b"k%d\0\0" % n + zlib.compress(bytes(900_000))) for n in range(80)),
    "broken": chunk(b"zTXt", b"a\0\0no zlib") + chunk(b"zTXt", b"a\0\7") + chunk(b"iTXt", b"") + chunk(b"iCCP", b"a"),
    "wrong checksum": chunk(b"tEXt", b"a\0b")[:-1] + b"?",
}


@pytest.mark.parametrize("large", LARGE.values(), ids=LARGE.keys())
def test_large_metadata_change_nothing(tmp_path: Path, large: bytes) -> None:
    plain = np.asarray(scene())
    for data in (_with(large), _with(behind=large), _with(large, large, behind=large)):
        assert np.array_equal(decoded(tmp_path, data), plain)
        assert upright_size(tmp_path / "picture") == (16, 24)


@pytest.mark.parametrize(
    "chunks",
    [
        chunk(b"eXIf", exif(6).tobytes()[6:]),
        chunk(b"iTXt", _itxt(XMP, False)),
        chunk(b"iTXt", _itxt(XMP + LONG, True)),
        chunk(b"tEXt", b"Raw profile type exif\0\nexif\n  26\n" + exif(6).tobytes().hex().encode()),
        chunk(
            b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n  26\n" + exif(6).tobytes().hex().encode())
        ),
    ],
)
def test_the_top_is_known_wherever_it_stands(tmp_path: Path, chunks: bytes) -> None:
    for data in (_with(chunks), _with(behind=chunks), _with(LARGE["zTXt"], behind=LARGE["tEXt"] + chunks)):
        assert decoded(tmp_path, data).shape == TURNED
        assert upright_size(tmp_path / "picture") == TURNED[:2]


def test_the_first_of_several_counts_and_the_others_are_not_unpacked(tmp_path: Path) -> None:
    bomb = chunk(b"iTXt", _itxt(bytes(900_000), True)) * 2000
    assert (
        decoded(tmp_path, _with(chunk(b"eXIf", exif(6).tobytes()[6:]), chunk(b"iTXt", _itxt(XMP, True)), bomb)).shape
        == TURNED
    )


def test_a_large_profile_is_applied(tmp_path: Path) -> None:
    red = Image.new("RGB", (4, 4), (255, 0, 0))
    array = decoded(tmp_path, encoded(red, "PNG", icc_profile=swapped_primaries(padding=2_500_000)))
    assert array[0, 0, 1] > 200 and array[0, 0, 0] < 60


def test_a_profile_is_unpacked_no_further_than_it_says(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(_with(chunk(b"iCCP", b"a\0\0" + zlib.compress(SRGB + bytes(40_000_000), 9))))
    tracemalloc.start()
    try:
        assert np.array_equal(decode(tmp_path / "a.png"), np.asarray(scene()))
        assert tracemalloc.get_traced_memory()[1] < 3e6
    finally:
        tracemalloc.stop()


def test_the_still_image_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (6, 4), colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    for still in (False, True):
        data = encoded(frames[0], "PNG", save_all=True, append_images=frames[1:], default_image=still)
        assert (decoded(tmp_path, data) == [255, 0, 0]).all()
    broken = data.replace(b"fcTL", b"fcTL", 1)
    at = broken.index(b"fcTL")
    broken = broken[: at + 4] + b"\xff" * 26 + broken[at + 30 :]
    assert (decoded(tmp_path, broken) == [255, 0, 0]).all()


@pytest.mark.parametrize(
    ("bits", "row", "hidden", "levels"),
    [
        (1, 0b01000000, 1, [0, 255]),
        (2, 0b00011011, 3, [0, 85, 170, 255]),
        (2, 0b00011011, 1, [0, 255, 170, 255]),
        (4, 0x5F, 15, [85, 255]),
        (4, 0x5F, 5, [255, 255]),
        (8, 0x09, 9, [255]),
    ],
)
def test_a_transparent_level_of_few_bits(tmp_path: Path, bits: int, row: int, hidden: int, levels: list[int]) -> None:
    data = png(len(levels), 1, bits, 0, bytes((0, row)), chunk(b"tRNS", struct.pack(">H", hidden)))
    assert decoded(tmp_path, data)[0, :, 0].tolist() == levels


def test_a_transparent_colour_of_sixteen_bits(tmp_path: Path) -> None:
    hidden = struct.pack(">HHH", 0xFF00, 0x1234, 5)
    data = png(2, 1, 16, 2, b"\0" + hidden + struct.pack(">HHH", 0x1200, 0, 0), chunk(b"tRNS", hidden))
    assert decoded(tmp_path, data).tolist() == [[[255, 255, 255], [0x12, 0, 0]]]
