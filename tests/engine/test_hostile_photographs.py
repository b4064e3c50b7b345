"""Files that are made to cost hours or gigabytes, kinds of pixels that are easily got wrong, and special files."""

from __future__ import annotations

import io
import os
import socket
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from engine.errors import PhotographError
from engine.images import decode as decoding
from engine.images import reading
from engine.images.decode import decode, decode_at_least
from engine.images.reading import PictureFile
from engine.images.transforms import read_views
from tests.engine.images.made import chunk as _chunk
from tests.engine.images.made import encoded as _encoded
from tests.engine.images.made import noise as _noise
from tests.engine.images.made import png as _png
from tests.engine.tiny import TINY


def _refused(path: Path, **options: int) -> str:
    with pytest.raises(PhotographError) as caught:
        decode(path, **options)
    reason = caught.value.reason
    assert reason and reason.isprintable() and path.name not in reason
    return reason


# --- size -------------------------------------------------------------------------------------------------------------

HEADS = {
    "jpeg": b"\xff\xd8\xff",
    "png": _encoded(_noise(), "PNG")[:33] + struct.pack(">I", 2**31 - 1) + b"abCd",
    "webp": b"RIFF" + struct.pack("<I", 0xFFFFFFF0) + b"WEBPVP8 ",
    "gif": _encoded(_noise(), "GIF")[:13],
    "tiff": b"II*\0" + struct.pack("<IH", 8, 1) + struct.pack("<HHII", 273, 4, 1 << 30, 100) + bytes(4),
    "nothing": b"",
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS.keys())
def test_a_sparse_file_of_ten_gigabytes_is_refused_unread(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(head)
    os.truncate(path, 10 << 30)
    tracemalloc.start()
    try:
        assert _refused(path) == "too large a file: 10737 MB, the limit is 2067 (it follows --max-pixels)"
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million reads take a second."""
    monkeypatch.setattr(reading, "_READS", 20_000)


@pytest.mark.filterwarnings("ignore:Tag data larger than file")
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS.keys())
def test_a_file_of_junk_below_the_limit_is_given_up(tmp_path: Path, impatient: None, head: bytes) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(head)
    os.truncate(path, 60_000_000)
    _refused(path, max_pixels=1000)


def test_a_decoder_may_not_ask_for_bytes_forever(tmp_path: Path, impatient: None) -> None:
    (tmp_path / "a").write_bytes(bytes(30_000))
    with PictureFile(tmp_path / "a") as file:
        for _ in range(20_000):
            file.read(1)
        with pytest.raises(PhotographError, match="too small"):
            file.read(1)


def test_memory_is_taken_for_what_is_there_not_for_what_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(30_000))
    tracemalloc.start()
    try:
        with PictureFile(tmp_path / "a") as file:
            assert len(file.read(4 << 30)) == 30_000
            assert file.read(4 << 30) == b""
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


def test_a_picture_of_any_format_may_have_much_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for kind in ("JPEG", "PNG", "BMP", "TIFF", "GIF"):
        whole = _encoded(_noise(), kind)
        path.write_bytes(whole)
        expected = decode(path)
        path.write_bytes(whole + bytes(3_000_000))
        assert np.array_equal(decode(path), expected), kind


def test_a_photograph_that_pillow_calls_a_bomb_is_taken_where_the_user_allows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    _noise().save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    view = read_views(path, TINY, max_pixels=64 * 48)
    assert (view.frame.height, view.frame.width) == (48, 64)
    # What one photograph was allowed is not allowed to the next.
    assert _refused(path, max_pixels=3000) == ("too large: 64 x 48 is 0.0 megapixels, the limit is 0.0 (--max-pixels)")


@pytest.mark.parametrize("progressive", [True, False])
def test_a_jpeg_that_draws_itself_over_and_over_is_refused(tmp_path: Path, progressive: bool) -> None:
    path = tmp_path / "a.jpg"
    whole = _encoded(_noise(), "JPEG", progressive=progressive)
    start = whole.rindex(b"\xff\xda")
    scan = whole[start:-2]
    if not progressive:  # a scan for each channel, as sequential JPEGs may have
        scan = b"\xff\xda\0\x08\x01\x01\0\0\x3f\0" + bytes(50)
        whole = whole[:start] + scan + whole[-2:]
    path.write_bytes(whole[:-2] + scan * 50 + b"\xff\xd9")
    if progressive:
        assert decode(path).shape == (48, 64, 3)
    path.write_bytes(whole[:-2] + scan * 101 + b"\xff\xd9")
    assert "more than 100 scans" in _refused(path)


def test_a_large_text_in_a_png_is_not_unpacked(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(40_000_000))
    path = tmp_path / "a.png"
    for kind, head in ((b"zTXt", b"a\0\0"), (b"iTXt", b"a\0\x01\0\0\0"), (b"iCCP", b"a\0\0")):
        path.write_bytes(_png(2, 2, 8, 0, bytes(6), _chunk(kind, head + bomb)))
        tracemalloc.start()
        try:
            decode(path)
        except PhotographError as error:
            assert error.reason
        assert tracemalloc.get_traced_memory()[1] < 10e6
        tracemalloc.stop()


# --- special files ----------------------------------------------------------------------------------------------------


def test_what_is_no_regular_file_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "device.jpg").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.jpg"))
        for name, reason in (
            ("pipe.jpg", "not a regular file"),
            ("device.jpg", "not a regular file"),
            ("socket.jpg", "not a regular file"),
            ("folder.jpg", "a folder, not a photograph"),
            ("loop.jpg", "too many levels of symbolic links"),
        ):
            assert _refused(tmp_path / name) == reason


# --- kinds of pixels --------------------------------------------------------------------------------------------------


def _pixels(tmp_path: Path, data: bytes) -> list[list[int]]:
    """The first row."""
    (tmp_path / "a").write_bytes(data)
    row: list[list[int]] = decode(tmp_path / "a")[0].tolist()
    return row


def _grey_profile() -> bytes:
    """A profile of grey pixels that are linear in light."""
    curve = b"curv" + bytes(4) + struct.pack(">I", 0)
    white = b"XYZ " + bytes(4) + struct.pack(">iii", 63190, 65536, 54061)
    text = b"desc" + bytes(4) + struct.pack(">I", 7) + b"linear\0" + bytes(79)
    tags, at, body = b"", 128 + 4 + 12 * 3, b""
    for name, data in ((b"desc", text), (b"wtpt", white), (b"kTRC", curve)):
        tags += name + struct.pack(">II", at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s", 0, b"lcms", 0x02100000, b"mntr", b"GRAY", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">iii", 63190, 65536, 54061)
    head += bytes(128 - len(head))
    whole = head + struct.pack(">I", 3) + tags + body
    return struct.pack(">I", len(whole)) + whole[4:]


def test_a_profile_of_grey_pixels_is_applied_with_and_without_alpha(tmp_path: Path) -> None:
    profile = _grey_profile()
    ImageCms.ImageCmsProfile(io.BytesIO(profile))
    for image in (
        Image.new("L", (1, 1), 55),
        Image.new("LA", (1, 1), (55, 255)),
        Image.fromarray(np.full((1, 1), 55 * 257, np.uint16)),
    ):
        ((red, green, blue),) = _pixels(tmp_path, _encoded(image, "PNG", icc_profile=profile))
        # 55 of 255 of the light is 128 in sRGB.
        assert red == green == blue and abs(red - 128) <= 2, image.mode


def test_a_profile_of_colours_is_applied_to_a_palette(tmp_path: Path) -> None:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for tag, other in ((b"rXYZ", b"tmpX"), (b"gXYZ", b"rXYZ"), (b"tmpX", b"gXYZ")):
        at = profile.index(tag, 128)
        profile[at : at + 4] = other
    swapped = bytes(profile).replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))
    image = Image.new("P", (1, 1), 1)
    image.putpalette([0, 0, 0, 255, 0, 0])
    ((red, green, _),) = _pixels(tmp_path, _encoded(image, "PNG", icc_profile=swapped))
    assert red < 60 and green > 200


def test_a_transparent_level_of_sixteen_bits_shows_white(tmp_path: Path) -> None:
    rows = b"\0" + struct.pack(">HHH", 1000, 0, 32896)
    data = _png(3, 1, 16, 0, rows, _chunk(b"tRNS", struct.pack(">H", 1000)))
    assert _pixels(tmp_path, data) == [[255] * 3, [0] * 3, [128] * 3]


def test_colours_of_sixteen_bits_keep_their_high_bytes(tmp_path: Path) -> None:
    data = _png(1, 1, 16, 2, b"\0" + struct.pack(">HHH", 0xFF00, 0x80FF, 0x0001))
    assert _pixels(tmp_path, data) == [[255, 128, 0]]
    data = _png(1, 1, 16, 6, b"\0" + struct.pack(">HHHH", 0xFFFF, 0, 0, 0x8080))
    ((red, green, blue),) = _pixels(tmp_path, data)
    assert red == 255 and abs(green - 127) <= 1 and abs(blue - 127) <= 1


def test_one_bit_with_a_transparent_level(tmp_path: Path) -> None:
    assert _pixels(tmp_path, _png(2, 1, 1, 0, b"\0\x40")) == [[0] * 3, [255] * 3]
    assert _pixels(tmp_path, _png(2, 1, 1, 0, b"\0\x40", _chunk(b"tRNS", b"\0\0"))) == [[255] * 3, [255] * 3]


def test_a_palette_with_several_degrees_of_transparency(tmp_path: Path) -> None:
    palette = _chunk(b"PLTE", bytes((255, 0, 0, 0, 255, 0, 0, 0, 255))) + _chunk(b"tRNS", bytes((255, 128, 0)))
    red, green, blue = _pixels(tmp_path, _png(3, 1, 8, 3, b"\0\0\1\2", palette))
    assert red == [255, 0, 0] and blue == [255, 255, 255]
    assert green[1] == 255 and abs(green[0] - 127) <= 1 and abs(green[2] - 127) <= 1


def _hidden(mode: str, below: int) -> tuple[str, Image.Image, dict[str, Any]]:
    """A format, and a picture whose left half can't be seen and has `below` as its colours."""
    colours = np.array(_noise())
    colours[:, :32] = np.random.default_rng(below).integers(0, 256, (48, 32, 3))
    alpha = Image.new("L", (64, 48), 255)
    alpha.paste(0, (0, 0, 32, 48))
    rgba = Image.fromarray(colours)
    rgba.putalpha(alpha)
    if mode == "P":
        indices = np.array(_noise().quantize(16))
        indices[:, :32] = 16 + np.random.default_rng(below).integers(0, 16, (48, 32))
        image = Image.fromarray(indices)
        image.putpalette(np.random.default_rng(5).bytes(96))
        return "PNG", image, {"transparency": bytes([255] * 16 + [0] * 16)}
    if mode == "WEBP":
        return "WEBP", rgba, {"lossless": True, "exact": True}
    kind, _, mode = mode.rpartition(" ")
    return kind or "PNG", rgba.convert(mode), {"compression": "tiff_lzw"} if kind == "TIFF" else {}


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "WEBP", "TIFF RGBA", "TIFF LA"])
@pytest.mark.parametrize("large", [False, True])
def test_colours_that_cannot_be_seen_reach_no_view(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, large: bool
) -> None:
    monkeypatch.setattr(decoding, "_LARGE", 1000 if large else 1 << 30)
    seen = []
    for below in (1, 2):
        kind, image, options = _hidden(mode, below)
        data = _encoded(image, kind, **options)
        (tmp_path / f"{below}").write_bytes(data)
        seen.append(
            (decode(tmp_path / f"{below}"), decode_at_least(tmp_path / f"{below}", longest=16, shortest=12).image)
        )
    assert np.array_equal(seen[0][0], seen[1][0]) and seen[0][1].tobytes() == seen[1][1].tobytes()
    assert seen[0][1].size == ((16, 12) if large else (64, 48))
    assert (seen[0][0][:, :32] == 255).all() and not (seen[0][0][:, 32:] == 255).all()


def test_colours_of_sixteen_bits_that_cannot_be_seen(tmp_path: Path) -> None:
    for colours, below in ((6, (1, 2, 3)), (6, (60_000, 3, 9)), (4, (7,)), (4, (50_000,))):
        row = b"\0" + struct.pack(f">{len(below) + 1}H", *below, 0)
        assert _pixels(tmp_path, _png(1, 1, 16, colours, row)) == [[255] * 3]


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
@pytest.mark.parametrize(
    ("ink", "colour"),
    [((0, 0, 0, 0), (255, 255, 255)), ((0, 0, 0, 255), (0, 0, 0)), ((255, 0, 0, 0), (0, 255, 255))],
)
def test_ink_is_no_light(tmp_path: Path, kind: str, ink: tuple[int, ...], colour: tuple[int, ...]) -> None:
    options = {"quality": 95} if kind == "JPEG" else {}
    row = _pixels(tmp_path, _encoded(Image.new("CMYK", (8, 8), ink), kind, **options))
    assert np.abs(np.array(row) - colour).max() <= 6


def test_a_frame_that_covers_only_a_part_of_a_gif(tmp_path: Path) -> None:
    """The logical screen is the photograph, wherever the first frame lies on it."""
    image = Image.new("P", (2, 1), 1)
    image.putpalette([9, 8, 7, 255, 0, 0])
    whole = bytearray(_encoded(image, "GIF"))
    whole[6:10] = struct.pack("<HH", 4, 1)
    at = whole.index(b"\x2c")
    whole[at + 1 : at + 3] = struct.pack("<H", 1)
    (tmp_path / "a.gif").write_bytes(whole)
    array = decode(tmp_path / "a.gif")
    assert array.shape == (1, 4, 3)
    assert array[0, 1:3].tolist() == [[255, 0, 0]] * 2
