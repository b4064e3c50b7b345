"""WebP: notes and films beside the picture change nothing; its size is known before memory is taken for it."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from engine.errors import PhotographError
from engine.images.decode import decode, upright_size
from tests.engine.images.made import SRGB, decoded, encoded, exif, scene


@pytest.mark.parametrize("lossless", [False, True])
def test_notes_of_megabytes_inside_and_behind_it(tmp_path: Path, lossless: bool) -> None:
    plain = decoded(tmp_path, encoded(scene(), "WEBP", lossless=lossless))
    data = encoded(scene(), "WEBP", lossless=lossless, xmp=b"x" * 5_000_000, icc_profile=SRGB + bytes(3_000_000))
    for behind in (b"", bytes(3_000_000), b"\0\0\0\x18ftypmp42" * 100_000, b"ABCD" + struct.pack("<I", 10) + bytes(10)):
        assert np.array_equal(decoded(tmp_path, data + behind), plain)


def test_the_size_of_every_kind(tmp_path: Path) -> None:
    plain, lossless = encoded(scene(), "WEBP"), encoded(scene(), "WEBP", lossless=True)
    extended = encoded(scene(), "WEBP", exif=exif(6))
    assert {data[12:16] for data in (plain, lossless, extended)} == {b"VP8 ", b"VP8L", b"VP8X"}
    for data, size in ((plain, (16, 24)), (lossless, (16, 24)), (extended, (24, 16))):
        (tmp_path / "a").write_bytes(data)
        assert upright_size(tmp_path / "a") == size == decode(tmp_path / "a").shape[:2]
        with pytest.raises(PhotographError, match="too large: 24 x 16"):
            decode(tmp_path / "a", max_pixels=24 * 16 - 1)


def test_a_vast_canvas_is_refused_before_it_is_made(tmp_path: Path) -> None:
    data = bytearray(encoded(scene(), "WEBP", exif=exif(1)))
    data[24:30] = (40_000 - 1).to_bytes(3, "little") * 2
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(PhotographError, match="too large: 40000 x 40000 is 1600.0 megapixels"):
        upright_size(tmp_path / "a")


def test_a_head_that_is_cut(tmp_path: Path) -> None:
    whole = encoded(scene(), "WEBP")
    for length in range(12, 60, 3):
        (tmp_path / "a").write_bytes(whole[:length])
        with pytest.raises(PhotographError):
            decode(tmp_path / "a")
