"""The top of a photograph is where its EXIF says, told once, and wherever that is damaged, as it is stored."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.images.decode import decode_at_least, upright_size
from tests.engine.images.made import (
    decoded,
    encoded,
    quarters,
    scene,
    turned,
)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}),
        ("MPO", {"quality": 95, "subsampling": 0}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        *[("TIFF", {"compression": name}) for name in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits")],
        ("TIFF", {"compression": "jpeg", "quality": 95}),
        ("TIFF", {"big_tiff": True}),
        ("AVIF", {"quality": 90, "subsampling": "4:4:4"}),
    ],
)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(tmp_path: Path, kind: str, options: dict[str, Any], orientation: int) -> None:
    array = decoded(tmp_path, turned(orientation, kind, **options))
    assert array.shape == quarters().shape
    assert np.abs(array.astype(int) - quarters()).mean() <= 6
    assert upright_size(tmp_path / "picture") == (16, 24)
    photograph = decode_at_least(tmp_path / "picture", longest=24, shortest=16)
    assert np.array_equal(np.asarray(photograph.image), array) and (photograph.height, photograph.width) == (16, 24)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_does_not_cost_the_photograph(tmp_path: Path) -> None:
    data = encoded(scene(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff\0\x05")
    assert decoded(tmp_path, data).shape == quarters().shape


def exif_of(*entries: tuple[int, int, int, bytes], behind: bytes = b"") -> bytes:
    """EXIF of tags, each with its type, its count, and four bytes: of a value or of where it is."""
    body = b"".join(
        struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0") for tag, kind, count, value in entries
    )
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + body + bytes(4) + behind


TURN = (0x0112, 3, 1, b"\6\0")


NO_PLACE = struct.pack("<H", 1) + struct.pack("<HHII", 2, 5, 3, 56) + bytes(28)  # 0/0 degrees


EXIF = {
    "sound": (exif_of(TURN), True),
    "0/0 degrees": (exif_of(TURN, (0x8825, 4, 1, struct.pack("<I", 38)), behind=NO_PLACE), True),
    "its head twice": (b"Exif\0\0" + exif_of(TURN), True),
    "a resolution of 0/0": (
        exif_of(TURN, (0x011A, 5, 1, struct.pack("<I", 38)), (0x0128, 3, 1, b"\2"), behind=bytes(8)),
        True,
    ),
    "a tag beyond the end": (exif_of(TURN, (0x010F, 2, 900, struct.pack("<I", 90_000))), True),
    "a long number": (exif_of((0x0112, 4, 1, b"\6")), True),
    "cut": (exif_of(TURN)[:14], False),
    "rubbish": (b"Exif\0\0" + b"rubbish!" * 4, False),
    "nothing": (b"Exif\0\0", False),
    "0": (exif_of((0x0112, 3, 1, b"\0")), False),
    "9": (exif_of((0x0112, 3, 1, b"\x09")), False),
    "text": (exif_of((0x0112, 2, 2, b"6\0")), False),
    "two numbers": (exif_of((0x0112, 3, 2, b"\6\0\1\0")), True),
    "an endless chain": (exif_of(TURN)[:-4] + struct.pack("<I", 8), True),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(("exif", "turns"), EXIF.values(), ids=EXIF.keys())
def test_damaged_exif_turns_nothing_the_wrong_way_and_costs_no_photograph(
    tmp_path: Path, kind: str, exif: bytes, turns: bool
) -> None:
    array = decoded(tmp_path, encoded(scene(), kind, exif=exif))
    assert array.shape == ((24, 16, 3) if turns else (16, 24, 3))
    assert upright_size(tmp_path / "picture") == array.shape[:2]
