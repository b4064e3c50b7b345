"""What is no photograph, too large or damaged is refused in one line, before it costs anything."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.errors import PhotographError
from engine.images.decode import MAX_PIXELS, decode, decode_at_least, upright_size
from engine.images.formats import kinds
from tests.engine.images.made import (
    encoded,
    exif,
    png_header,
    reason,
    scene,
    swapped_primaries,
)


@pytest.fixture(autouse=True)
def without_heic(monkeypatch: pytest.MonkeyPatch) -> None:
    """HEIC is read where the extra is installed; here it is not."""
    monkeypatch.setattr(kinds, "HEIF", False)
    plain = tuple(suffix for suffix in kinds.SUFFIXES if suffix not in (".heic", ".heif"))
    monkeypatch.setattr(kinds, "SUFFIXES", plain)


def test_the_size_is_refused_as_the_photograph_is(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture at all")
    (tmp_path / "large.png").write_bytes(png_header(60_000, 60_000))
    for name in ("text.jpg", "large.png", "missing.jpg"):
        with pytest.raises(PhotographError) as caught:
            upright_size(tmp_path / name)
        assert (caught.value.stage, caught.value.reason) == ("open", reason(tmp_path / name).reason)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (15_820, 15_810), (60_000, 60_000), (2**31 - 1, 1)])
def test_a_bomb_is_refused_from_its_header(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(width, height))
    assert reason(path).stage == "open"
    assert "too large" in reason(path).reason


@pytest.mark.filterwarnings("error")
def test_a_bomb_warning_that_the_user_made_an_error_is_the_same_refusal(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(20_000, 20_000))
    assert "too large" in reason(path).reason


def test_the_limit_itself_is_no_bomb(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(png_header(MAX_PIXELS // 10_000, 10_000))
    assert reason(path).stage == "decode"


def test_a_smaller_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (20, 10)).save(path)
    assert decode(path, max_pixels=200).shape == (10, 20, 3)
    with pytest.raises(PhotographError, match="too large: 20 x 10"):
        decode(path, max_pixels=199)


def test_what_is_no_photograph(tmp_path: Path) -> None:
    empty, text, pdf = tmp_path / "empty.jpg", tmp_path / "text.jpg", tmp_path / "a.png"
    empty.touch()
    text.write_text("no picture at all")
    Image.new("RGB", (5, 5)).save(pdf, "PDF")
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    for path, words in (
        (empty, "empty"),
        (text, "not a JPEG"),
        (pdf, "a file of another kind (PDF): take pictures from it first"),
        (tmp_path, "a folder"),
        (pipe, "not a regular file"),
        (tmp_path / "missing.jpg", "no such file"),
        (tmp_path / ("x" * 300), "name too long"),
        (tmp_path / "nul\0.jpg", "null"),
    ):
        error = reason(path)
        assert error.stage == "open"
        assert words in error.reason


def test_a_file_of_another_kind_is_called_by_its_name(tmp_path: Path) -> None:
    for head, kind in (
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", "film"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS pointer"),
    ):
        (tmp_path / "a.jpg").write_bytes(head + bytes(100))
        assert reason(tmp_path / "a.jpg").reason.startswith(f"a file of another kind ({kind})")


def test_formats_off_the_list_are_refused(tmp_path: Path) -> None:
    for kind in ("PPM", "ICO", "TGA", "PCX", "EPS"):
        path = tmp_path / "a.jpg"
        Image.new("RGB", (16, 16)).save(path, kind)
        assert reason(path).stage == "open"


def test_a_picture_without_pixels(tmp_path: Path) -> None:
    path = tmp_path / "zero.png"
    path.write_bytes(png_header(0, 0))
    assert reason(path).stage in ("open", "decode")
    gif = bytearray(encoded(Image.new("P", (1, 1)), "GIF"))
    gif[6:10] = bytes(4)
    path.write_bytes(gif[:13])
    reason(path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_truncated(tmp_path: Path, kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    path = tmp_path / "cut"
    path.write_bytes(data[: len(data) // 2])
    assert reason(path).reason


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permission_denied(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (5, 5)).save(path)
    path.chmod(0)
    assert reason(path).reason == "permission denied"


_SEEDS = [
    encoded(scene(), "JPEG", exif=exif(6), icc_profile=swapped_primaries()),
    encoded(scene(), "JPEG", progressive=True),
    encoded(scene().convert("RGBA"), "PNG", exif=exif(6), icc_profile=swapped_primaries()),
    encoded(scene().quantize(8), "PNG", transparency=2),
    encoded(scene(), "WEBP", lossless=True, exif=exif(6)),
    encoded(scene(), "TIFF", compression="tiff_lzw"),
    encoded(scene(), "GIF"),
    encoded(scene(), "BMP"),
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(_SEEDS), st.data())
def test_no_bytes_raise_anything_but_a_photograph_error(tmp_path: Path, seed: bytes, data: st.DataObject) -> None:
    mutated = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(mutated) - 1)) if mutated else 0
        mutated[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=6))
    if data.draw(st.booleans()):
        del mutated[data.draw(st.integers(0, len(mutated))) :]
    path = tmp_path / "fuzz"
    path.write_bytes(mutated)
    try:
        array = decode(path, max_pixels=1_000_000)
        small = decode_at_least(path, longest=3, shortest=2, max_pixels=1_000_000)
        assert (small.height, small.width) == array.shape[:2] and small.image.mode == "RGB"
    except PhotographError as error:
        assert error.stage in ("open", "decode")
        assert error.reason and "\n" not in error.reason
    else:
        assert array.dtype == np.uint8 and array.shape[2] == 3
