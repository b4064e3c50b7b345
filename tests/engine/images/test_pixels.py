"""Every kind of pixels comes out in sRGB, on white, in one band or in many."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.images import pixels
from engine.images.decode import decode, decode_at_least
from tests.engine.images.made import (
    SRGB,
    decoded,
    encoded,
    exif,
    noise,
    reason,
    swapped_primaries,
)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "I;16"])
def test_png_modes(tmp_path: Path, mode: str) -> None:
    whites: dict[str, Any] = {"1": 1, "L": 255, "P": 255, "LA": (255, 255), "RGBA": (255, 255, 255, 255), "I;16": 65535}
    image = Image.new(mode, (5, 3), whites[mode])
    if mode == "P":
        image.putpalette([value for value in range(256) for _ in range(3)])
    assert (decoded(tmp_path, encoded(image, "PNG")) == 255).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB"])
def test_transparency_shows_white(tmp_path: Path, mode: str) -> None:
    if mode == "P":
        image = Image.new("P", (4, 4), 1)
        image.putpalette([0, 0, 0, 10, 20, 30])
        data = encoded(image, "PNG", transparency=1)
    elif mode == "RGB":
        data = encoded(Image.new("RGB", (4, 4), (9, 8, 7)), "PNG", transparency=(9, 8, 7))
    else:
        data = encoded(Image.new(mode, (4, 4), 0), "PNG")
    assert (decoded(tmp_path, data) == 255).all()


def test_half_transparent_is_half_white(tmp_path: Path) -> None:
    array = decoded(tmp_path, encoded(Image.new("RGBA", (2, 2), (200, 0, 100, 128)), "PNG"))
    assert np.abs(array.astype(int) - [227, 127, 177]).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path, kind: str) -> None:
    ramp = np.linspace(0, 65535, 256).round().astype(np.uint16)[None].repeat(2, axis=0)
    array = decoded(tmp_path, encoded(Image.fromarray(ramp), kind))
    assert np.array_equal(array[0, :, 0], np.arange(256))
    assert (array == array[:, :, :1]).all()


def test_big_endian_sixteen_bit_tiff(tmp_path: Path) -> None:
    samples = np.array([[0, 257, 32896, 65535]], np.dtype(">u2"))
    tags = [(256, 4), (257, 1), (258, 16), (259, 1), (262, 1), (273, 8), (277, 1), (278, 1), (279, 8)]
    data = b"MM\0*" + struct.pack(">I", 16) + samples.tobytes() + struct.pack(">H", len(tags))
    data += b"".join(struct.pack(">HHII", tag, 4, 1, value) for tag, value in tags) + bytes(4)
    assert decoded(tmp_path, data)[0, :, 0].tolist() == [0, 1, 128, 255]


def test_floating_point_and_32_bit_samples_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "depth.tiff"
    Image.fromarray(np.ones((3, 3), np.float32)).save(path)
    assert "floating-point" in reason(path).reason
    Image.fromarray(np.full((3, 3), 1 << 20, np.int32)).save(path)
    assert "32-bit" in reason(path).reason


def test_cmyk(tmp_path: Path) -> None:
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    red = decoded(tmp_path, encoded(image, "JPEG", quality=95))[4, 4].astype(int)
    assert red[0] > 200 and red[1] < 60 and red[2] < 60


def test_an_embedded_profile_is_applied(tmp_path: Path) -> None:
    image = Image.new("RGB", (4, 4), (255, 0, 0))
    array = decoded(tmp_path, encoded(image, "PNG", icc_profile=swapped_primaries()))
    assert array[0, 0, 1] > 200 and array[0, 0, 0] < 60


def test_a_damaged_profile_is_left_aside(tmp_path: Path) -> None:
    image = Image.new("RGB", (4, 4), (255, 0, 0))
    for profile in (b"nonsense", SRGB[:200], SRGB):
        assert decoded(tmp_path, encoded(image, "PNG", icc_profile=profile))[0, 0].tolist() == [255, 0, 0]


def test_an_rgb_profile_on_grey_pixels_is_left_aside(tmp_path: Path) -> None:
    profile = swapped_primaries()
    assert (decoded(tmp_path, encoded(Image.new("L", (4, 4), 90), "PNG", icc_profile=profile)) == 90).all()


def test_a_photograph_done_in_bands_is_the_one_done_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noisy = noise(61, 47)
    half = noisy.getchannel("R")
    rgba = noisy.copy()
    rgba.putalpha(half)
    deep = Image.fromarray((np.arange(61 * 47, dtype=np.uint16) * 23).reshape(47, 61))
    profile: dict[str, Any] = {"icc_profile": swapped_primaries()}
    pictures: tuple[tuple[Image.Image, dict[str, Any]], ...] = (
        (noisy, {}),
        (noisy, profile),
        (rgba, profile),
        (half.convert("1"), {}),
        (noisy.quantize(16), {"transparency": 2} | profile),
        (deep, {"transparency": 23}),
        (noisy, {"exif": exif(5)} | profile),
    )
    for number, (image, options) in enumerate(pictures):
        path = tmp_path / f"{number}.png"
        path.write_bytes(encoded(image, "PNG", **options))
        monkeypatch.setattr(pixels, "_BAND", 1 << 22)
        whole, photograph = decode(path), decode_at_least(path, longest=60, shortest=40)
        monkeypatch.setattr(pixels, "_BAND", 1)
        assert np.array_equal(decode(path), whole)
        banded = decode_at_least(path, longest=60, shortest=40)
        assert np.array_equal(np.asarray(banded.image), whole) and np.array_equal(np.asarray(photograph.image), whole)
