"""Size and orientation of a photograph before a pixel is decoded."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from engine.errors import PhotographError
from engine.images.decode import decode
from engine.images.header import Header, read_header


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_that_of_the_upright_photograph(tmp_path: Path, kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (10, 6)).save(tmp_path / f"a.{kind}", exif=exif)
    header = read_header(tmp_path / f"a.{kind}")
    height, width = (10, 6) if orientation > 4 else (6, 10)
    assert header == Header(height, width, stored=(6, 10), turned=orientation > 1)
    assert decode(tmp_path / f"a.{kind}").shape[:2] == (height, width)


def test_what_is_no_photograph_is_refused_as_when_it_is_decoded(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("hello")
    for name in ("a.jpg", "gone.jpg"):
        with pytest.raises(PhotographError) as first:
            read_header(tmp_path / name)
        with pytest.raises(PhotographError) as second:
            decode(tmp_path / name)
        assert str(first.value) == str(second.value)
