"""The first image of a GIF, its size known before memory is taken for it."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.errors import PhotographError
from engine.images.decode import decode, upright_size
from tests.engine.images.made import decoded, encoded, scene

SCREEN = b"GIF89a" + struct.pack("<HHBBB", 4, 4, 0, 0, 0)


def _extension(label: int, content: bytes) -> bytes:
    blocks = (content[at : at + 255] for at in range(0, len(content), 255))
    return bytes((0x21, label)) + b"".join(bytes((len(block),)) + block for block in blocks) + b"\0"


@pytest.mark.parametrize("label", [0x01, 0xFE, 0xFF])
def test_notes_of_megabytes(tmp_path: Path, label: int) -> None:
    data = encoded(scene().quantize(16), "GIF", transparency=1)
    plain = decoded(tmp_path, data)
    at = data.index(b"\x21\xf9")
    notes = _extension(label, b"\x2c\x3b" * 1_000_000)
    for place in (at, at + 8):
        assert np.array_equal(decoded(tmp_path, data[:place] + notes + b"\0" + data[place:]), plain)


def test_the_first_of_several_images(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (6, 4), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    for disposal in range(4):
        data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], disposal=disposal, loop=0)
        assert (decoded(tmp_path, data) == [255, 0, 0]).all()


@pytest.mark.parametrize("behind", [b"", b"\0\0\0", _extension(0xFE, b"note") + _extension(0xF9, b"\x08\0\0\0")])
def test_an_image_that_is_larger_than_its_screen_is_refused_by_its_size(tmp_path: Path, behind: bytes) -> None:
    image = b"\x2c" + struct.pack("<HHHHB", 0, 0, 65_535, 30_000, 0) + b"\x02\x02\x4c\x01\0\x3b"
    (tmp_path / "a.gif").write_bytes(SCREEN + behind + image)
    for read in (decode, upright_size):
        with pytest.raises(PhotographError, match="too large: 65535 x 30000"):
            read(tmp_path / "a.gif")


def test_a_screen_without_an_image(tmp_path: Path) -> None:
    for end in (b"", b"\x3b", _extension(0xFE, b"note"), b"\x21", b"\x21\xf9", b"\x2c\0\0"):
        (tmp_path / "a.gif").write_bytes(SCREEN + end)
        with pytest.raises(PhotographError):
            decode(tmp_path / "a.gif")
