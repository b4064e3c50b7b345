"""A picture that a program has open is decoded as its file is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from engine.errors import PhotographError
from engine.images.decode import decode, decode_open


@pytest.fixture
def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 20, 3), np.uint8))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 7])
@pytest.mark.parametrize("loaded", [False, True])
def test_exif_orientation_is_applied_once(
    tmp_path: Path, picture: Image.Image, kind: str, orientation: int, loaded: bool
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = tmp_path / "photo"
    picture.save(path, kind, exif=exif)
    with Image.open(path) as image:
        if loaded:
            image.load()
        np.testing.assert_array_equal(decode_open(image), decode(path))
        np.testing.assert_array_equal(decode_open(image), decode(path))


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "I;16"])
def test_modes(tmp_path: Path, picture: Image.Image, mode: str) -> None:
    made = picture.convert("L").convert("I").convert(mode) if mode == "I;16" else picture.convert(mode)
    made.save(tmp_path / "photo.png")
    np.testing.assert_array_equal(decode_open(made), decode(tmp_path / "photo.png"))


def test_what_can_not_be_had_is_one_line(tmp_path: Path, picture: Image.Image) -> None:
    with pytest.raises(PhotographError, match="open: too large: 20 x 12"):
        decode_open(picture, max_pixels=239)
    with pytest.raises(PhotographError, match="floating-point"):
        decode_open(picture.convert("F"))
    picture.save(tmp_path / "cut.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:-60])
    with Image.open(tmp_path / "cut.jpg") as image, pytest.raises(PhotographError, match="truncated"):
        decode_open(image)
