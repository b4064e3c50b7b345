"""Every format comes out upright and in RGB, whole or as coarse as it may be."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.errors import PhotographError
from engine.images import decode as decoding
from engine.images import pixels
from engine.images.decode import decode, decode_at_least, upright_size
from tests.engine.images.made import (
    LYING,
    SRGB,
    decoded,
    encoded,
    exif,
    noise,
    png_header,
    quarters,
    reason,
    scene,
    swapped_primaries,
)


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}, 12),
        ("JPEG", {"quality": 95, "subsampling": 0, "progressive": True}, 12),
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("BMP", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("GIF", {}, 0),
        ("AVIF", {"quality": 100, "subsampling": "4:4:4"}, 4),
    ],
)
def test_each_format(tmp_path: Path, kind: str, options: dict[str, object], tolerance: int) -> None:
    array = decoded(tmp_path, encoded(scene(), kind, **options))
    assert np.abs(array.astype(int) - quarters()).max() <= tolerance


def large(tmp_path: Path, width: int = 803, height: int = 403, **options: Any) -> Path:
    path = tmp_path / "large.jpg"
    Image.fromarray(quarters(width, height)).save(path, "JPEG", quality=95, subsampling=0, **options)
    return path


@pytest.mark.parametrize(
    ("longest", "shortest", "fraction"),
    [(100, 50, 8), (101, 50, 4), (100, 51, 4), (200, 100, 4), (201, 1, 2), (401, 201, 2), (402, 1, 1), (1, 202, 1)],
)
def test_a_large_jpeg_is_decoded_small_but_never_too_small(
    tmp_path: Path, longest: int, shortest: int, fraction: int
) -> None:
    photograph = decode_at_least(large(tmp_path), longest=longest, shortest=shortest)
    assert (photograph.height, photograph.width) == (403, 803)
    assert photograph.image.size == (-(-803 // fraction), -(-403 // fraction))
    assert photograph.box == (0, 0, 803 / fraction, 403 / fraction)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_box_of_a_photograph_decoded_small_is_turned_with_it(tmp_path: Path, orientation: int) -> None:
    """The edge over which the coarse grid hangs is where the turn has put it."""
    photograph = decode_at_least(large(tmp_path, exif=exif(orientation)), longest=100, shortest=50)
    whole = decode(large(tmp_path, exif=exif(orientation)))
    assert (photograph.height, photograph.width) == whole.shape[:2]
    small = np.asarray(photograph.image.resize((200, 200), Image.Resampling.BOX, photograph.box)).astype(int)
    wanted = np.asarray(Image.fromarray(whole).resize((200, 200), Image.Resampling.BOX)).astype(int)
    # The four colours meet in the middle; a box on the wrong side shifts that line by half a pixel.
    assert np.abs(small - wanted).mean() < 1.5
    left, top, right, bottom = photograph.box
    assert right - left == photograph.width / 8 and bottom - top == photograph.height / 8


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *[(kind, mode) for kind in ("JPEG", "MPO") for mode in ("RGB", "L", "CMYK")],
        *[(kind, mode) for kind in ("PNG", "WEBP", "TIFF", "GIF") for mode in ("RGB", "L", "P", "RGBA")],
        ("BMP", "RGB"),
        ("TIFF", "CMYK"),
    ],
)
def test_nothing_but_a_large_jpeg_is_decoded_small(tmp_path: Path, kind: str, mode: str) -> None:
    path = tmp_path / "picture"
    path.write_bytes(encoded(Image.fromarray(quarters(64, 48)).convert(mode), kind))
    whole = Image.fromarray(decode(path))
    photograph = decode_at_least(path, longest=16, shortest=12)
    assert photograph.image.size == ((16, 12) if kind in ("JPEG", "MPO") else (64, 48))
    small, wanted = (np.asarray(image.resize((2, 2), Image.Resampling.BOX)) for image in (photograph.image, whole))
    assert np.abs(small.astype(int) - wanted).max() <= 6
    untouched = decode_at_least(path, longest=64, shortest=48)
    assert np.array_equal(np.asarray(untouched.image), np.asarray(whole)) and untouched.box == (0, 0, 64, 48)


@pytest.fixture
def large_from_1000(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pixels from which on a photograph is large; and bands of few rows."""
    monkeypatch.setattr(decoding, "_LARGE", 1000)
    monkeypatch.setattr(pixels, "_BAND", 900)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *[(kind, mode) for kind in ("PNG", "WEBP", "TIFF", "GIF") for mode in ("RGB", "L", "P", "RGBA")],
        ("PNG", "LA"),
        ("PNG", "I;16"),
        ("BMP", "RGB"),
        ("TIFF", "CMYK"),
        ("AVIF", "RGBA"),
    ],
)
@pytest.mark.parametrize("orientation", [1, 6, 7])
def test_a_large_photograph_is_the_mean_of_its_cells(
    tmp_path: Path, large_from_1000: None, kind: str, mode: str, orientation: int
) -> None:
    if kind in ("GIF", "BMP") and orientation > 1:
        return  # they know no orientation
    tags: dict[str, Any] = {} if orientation == 1 else {"exif": exif(orientation)}
    stored = Image.fromarray(np.ascontiguousarray(LYING[orientation](quarters(403, 267))))
    path = tmp_path / "picture"
    options: dict[str, Any] = {"icc_profile": swapped_primaries()} if mode == "RGB" and kind != "GIF" else {}
    if mode == "I;16":
        deep = np.asarray(stored.convert("L")).astype(np.uint16) * 257
        path.write_bytes(encoded(Image.fromarray(deep), kind, **tags))
    else:
        image = stored.quantize(16) if mode == "P" else stored.convert(mode)
        path.write_bytes(encoded(image, kind, **tags, **options))
    whole = Image.fromarray(decode(path))
    photograph = decode_at_least(path, longest=100, shortest=60)
    assert (photograph.height, photograph.width) == (267, 403) == whole.size[::-1]
    assert photograph.image.size == (101, 67)
    left, top, right, bottom = photograph.box
    assert (right - left, bottom - top) == (403 / 4, 267 / 4)
    small, wanted = (
        np.asarray(image.resize((200, 200), Image.Resampling.BOX, box)).astype(int)
        for image, box in ((photograph.image, photograph.box), (whole, None))
    )
    assert np.abs(small - wanted).mean() < 1.5
    untouched = decode_at_least(path, longest=403, shortest=267)
    assert np.array_equal(np.asarray(untouched.image), np.asarray(whole)) and untouched.box == (0, 0, 403, 267)


def test_large_photographs_are_decoded_one_at_a_time(tmp_path: Path, large_from_1000: None) -> None:
    large, small = tmp_path / "large.png", tmp_path / "small.png"
    noise(64, 48).save(large)
    noise(8, 8).save(small)
    done = threading.Event()

    def read() -> None:
        decode(large)
        done.set()

    with decoding._one_large:
        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        decode(small)
        assert upright_size(large) == (48, 64)
        assert not done.wait(0.1)
    assert done.wait(30)
    thread.join()
    large.write_bytes(large.read_bytes()[:1000])
    for _ in range(2):  # what fails lets go, too
        with pytest.raises(PhotographError):
            decode(large)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_both_ways_to_decode_refuse_alike(tmp_path: Path) -> None:
    cut, bomb, text = large(tmp_path), tmp_path / "bomb.png", tmp_path / "text.jpg"
    cut.write_bytes(cut.read_bytes()[:5000])
    bomb.write_bytes(png_header(20_000, 20_000))
    text.write_text("no picture at all")
    for path in (cut, bomb, text, tmp_path, tmp_path / "missing.jpg"):
        with pytest.raises(PhotographError) as caught:
            decode_at_least(path, longest=10, shortest=10)
        assert (caught.value.stage, caught.value.reason) == (reason(path).stage, reason(path).reason)
    with pytest.raises(PhotographError, match="too large: 803 x 403"):
        decode_at_least(large(tmp_path), longest=10, shortest=10, max_pixels=803 * 403 - 1)


def test_the_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (6, 4), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    for kind, options in (("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {})):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert decoded(tmp_path, data)[0, 0].tolist() == [255, 0, 0], kind


def test_a_tiff_with_notes_of_megabytes(tmp_path: Path) -> None:
    notes = {tag: bytes(3_000_000) for tag in (700, 33723, 34377, 37724)}
    for compression in (None, "tiff_lzw", "jpeg"):
        options: dict[str, Any] = {"compression": compression, "icc_profile": SRGB + bytes(2_000_000)}
        plain = decoded(tmp_path, encoded(scene(), "TIFF", compression=compression))
        assert np.array_equal(decoded(tmp_path, encoded(scene(), "TIFF", tiffinfo=notes, **options)), plain)
