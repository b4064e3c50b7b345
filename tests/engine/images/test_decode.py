"""Every kind of photograph comes out upright and in RGB; every kind of damage as one line."""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.errors import PhotographError
from engine.images import decode as decoding
from engine.images import pixels
from engine.images.decode import MAX_PIXELS, decode, decode_at_least, upright_size
from tests.engine.images.made import SRGB, chunk, encoded, noise, swapped_primaries
from tests.engine.images.made import scene as picture


def scene(width: int = 24, height: int = 16) -> np.ndarray:
    return np.asarray(picture(width, height))


def reason(path: Path) -> PhotographError:
    with pytest.raises(PhotographError) as caught:
        decode(path)
    assert "\n" not in caught.value.reason
    assert str(path) not in caught.value.reason
    return caught.value


def decoded(tmp_path: Path, data: bytes) -> np.ndarray:
    path = tmp_path / "photo"
    path.write_bytes(data)
    array = decode(path)
    assert array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3
    assert array.flags.c_contiguous and array.flags.writeable
    return array


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
    array = decoded(tmp_path, encoded(Image.fromarray(scene()), kind, **options))
    assert np.abs(array.astype(int) - scene()).max() <= tolerance


# What a camera held that way stores: the inverse of what a viewer must do.
LYING: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


def turning(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def turned(orientation: int, kind: str, **options: Any) -> bytes:
    """The scene as it is stored in an EXIF orientation."""
    stored = Image.fromarray(np.ascontiguousarray(LYING[orientation](scene())))
    return encoded(stored, kind, exif=turning(orientation), **options)


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
    assert array.shape == scene().shape
    assert np.abs(array.astype(int) - scene()).mean() <= 6
    assert upright_size(tmp_path / "photo") == (16, 24)
    photograph = decode_at_least(tmp_path / "photo", longest=24, shortest=16)
    assert np.array_equal(np.asarray(photograph.image), array) and (photograph.height, photograph.width) == (16, 24)


def test_the_size_is_refused_as_the_photograph_is(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture at all")
    (tmp_path / "large.png").write_bytes(png_header(60_000, 60_000))
    for name in ("text.jpg", "large.png", "missing.jpg"):
        with pytest.raises(PhotographError) as caught:
            upright_size(tmp_path / name)
        assert (caught.value.stage, caught.value.reason) == ("open", reason(tmp_path / name).reason)


def large(tmp_path: Path, width: int = 803, height: int = 403, **options: Any) -> Path:
    path = tmp_path / "large.jpg"
    Image.fromarray(scene(width, height)).save(path, "JPEG", quality=95, subsampling=0, **options)
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
    exif = Image.Exif()
    exif[0x0112] = orientation
    photograph = decode_at_least(large(tmp_path, exif=exif), longest=100, shortest=50)
    whole = decode(large(tmp_path, exif=exif))
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
    path = tmp_path / "photo"
    path.write_bytes(encoded(Image.fromarray(scene(64, 48)).convert(mode), kind))
    whole = Image.fromarray(decode(path))
    photograph = decode_at_least(path, longest=16, shortest=12)
    assert photograph.image.size == ((16, 12) if kind in ("JPEG", "MPO") else (64, 48))
    small, wanted = (np.asarray(image.resize((2, 2), Image.Resampling.BOX)) for image in (photograph.image, whole))
    assert np.abs(small.astype(int) - wanted).max() <= 6
    untouched = decode_at_least(path, longest=64, shortest=48)
    assert np.array_equal(np.asarray(untouched.image), np.asarray(whole)) and untouched.box == (0, 0, 64, 48)


# --- photographs so large that memory is saved for them ---------------------------------------------------------------


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
    exif = {} if orientation == 1 else {"exif": turning(orientation)}
    stored = Image.fromarray(np.ascontiguousarray(LYING[orientation](scene(403, 267))))
    path = tmp_path / "photo"
    options: dict[str, Any] = {"icc_profile": swapped_primaries()} if mode == "RGB" and kind != "GIF" else {}
    if mode == "I;16":
        deep = np.asarray(stored.convert("L")).astype(np.uint16) * 257
        path.write_bytes(encoded(Image.fromarray(deep), kind, **exif))
    else:
        image = stored.quantize(16) if mode == "P" else stored.convert(mode)
        path.write_bytes(encoded(image, kind, **exif, **options))
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


def test_a_photograph_done_in_bands_is_the_one_done_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noisy = noise(61, 47)
    half = noisy.getchannel("R")
    rgba = noisy.copy()
    rgba.putalpha(half)
    deep = Image.fromarray((np.arange(61 * 47, dtype=np.uint16) * 23).reshape(47, 61))
    profile = {"icc_profile": swapped_primaries()}
    cases: list[tuple[Image.Image, dict[str, Any]]] = [
        (noisy, {}),
        (noisy, profile),
        (rgba, profile),
        (half.convert("1"), {}),
        (noisy.quantize(16), {"transparency": 2} | profile),
        (deep, {"transparency": 23}),
        (noisy, {"exif": turning(5)} | profile),
    ]
    for number, (image, options) in enumerate(cases):
        path = tmp_path / f"{number}.png"
        path.write_bytes(encoded(image, "PNG", **options))
        monkeypatch.setattr(pixels, "_BAND", 1 << 22)
        whole, photograph = decode(path), decode_at_least(path, longest=60, shortest=40)
        monkeypatch.setattr(pixels, "_BAND", 1)
        assert np.array_equal(decode(path), whole)
        banded = decode_at_least(path, longest=60, shortest=40)
        assert np.array_equal(np.asarray(banded.image), whole) and np.array_equal(np.asarray(photograph.image), whole)


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


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_does_not_cost_the_photograph(tmp_path: Path) -> None:
    data = encoded(Image.fromarray(scene()), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff\0\x05")
    assert decoded(tmp_path, data).shape == scene().shape


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


def test_the_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (6, 4), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    for kind, options in (("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {})):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert decoded(tmp_path, data)[0, 0].tolist() == [255, 0, 0], kind


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


def png_header(width: int, height: int) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


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
        (pdf, "not a JPEG"),
        (tmp_path, "a folder"),
        (pipe, "not a regular file"),
        (tmp_path / "missing.jpg", "no such file"),
        (tmp_path / ("x" * 300), "name too long"),
        (tmp_path / "nul\0.jpg", "null"),
    ):
        error = reason(path)
        assert error.stage == "open"
        assert words in error.reason


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


_exif = Image.Exif()
_exif[0x0112] = 6
_SEEDS = [
    encoded(Image.fromarray(scene()), "JPEG", exif=_exif, icc_profile=swapped_primaries()),
    encoded(Image.fromarray(scene()), "JPEG", progressive=True),
    encoded(Image.fromarray(scene()).convert("RGBA"), "PNG", exif=_exif, icc_profile=swapped_primaries()),
    encoded(Image.fromarray(scene()).quantize(8), "PNG", transparency=2),
    encoded(Image.fromarray(scene()), "WEBP", lossless=True, exif=_exif),
    encoded(Image.fromarray(scene()), "TIFF", compression="tiff_lzw"),
    encoded(Image.fromarray(scene()), "GIF"),
    encoded(Image.fromarray(scene()), "BMP"),
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
