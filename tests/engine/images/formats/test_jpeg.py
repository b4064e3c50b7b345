"""A JPEG's first picture, whatever lies inside, beside or behind it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.errors import PhotographError
from engine.images import reading
from engine.images.decode import decode, decode_at_least, upright_size
from engine.images.formats.jpeg import take_apart
from engine.images.reading import PictureFile
from tests.engine.images.made import decoded, encoded, exif, noise, scene, segment, swapped_primaries

SCAN = b"\xff\xda\0\x0c\x03\x01\0\x02\x11\x03\x11\0\x3f\0"
FILM = b"\0\0\0\x18ftypmp42" + SCAN * 3000 + np.random.default_rng(1).bytes(2_000_000) + b"\xff\xd9"
NOTES = b"".join(segment(0xE5, (SCAN * 5000)[:65_000]) for _ in range(60))
XMP = b"http://ns.adobe.com/xap/1.0/\0"


@pytest.fixture(params=[False, True], ids=["baseline", "progressive"])
def photograph(request: pytest.FixtureRequest) -> bytes:
    return encoded(noise(), "JPEG", quality=90, progressive=request.param)


def _scans(tmp_path: Path, data: bytes) -> int:
    (tmp_path / "a").write_bytes(data)
    with PictureFile(tmp_path / "a") as file:
        return take_apart(file).scans


def test_a_film_behind_the_photograph(tmp_path: Path, photograph: bytes) -> None:
    assert np.array_equal(decoded(tmp_path, photograph + FILM), decoded(tmp_path, photograph))


@pytest.mark.parametrize("code", [0xE0, 0xE1, 0xE2, 0xE5, 0xED, 0xEF, 0xFE])
def test_notes_of_megabytes_inside_it(tmp_path: Path, photograph: bytes, code: int) -> None:
    expected = decoded(tmp_path, photograph)
    for note in (SCAN, b"Exif\0\0" + SCAN, b"MPF\0" + SCAN, b"Photoshop 3.0\x008BIM" + SCAN, XMP + SCAN, b""):
        notes = segment(code, (note + SCAN * 5000)[:65_500]) * 50
        assert np.array_equal(decoded(tmp_path, photograph[:2] + notes + photograph[2:]), expected)


def test_notes_between_its_scans(tmp_path: Path) -> None:
    photograph = encoded(noise(), "JPEG", progressive=True)
    second = photograph.index(b"\xff\xc4", photograph.index(b"\xff\xda"))
    data = photograph[:second] + NOTES + photograph[second:]
    assert np.array_equal(decoded(tmp_path, data), decoded(tmp_path, photograph))
    assert _scans(tmp_path, data + FILM) == _scans(tmp_path, photograph)


def test_junk_in_front_of_a_segment(tmp_path: Path, photograph: bytes) -> None:
    first = 2 + 18  # that of JFIF
    for junk in (bytes(3_000_000), b"\xff" * 3_000_000, b"\xff\0" * 1_000_000, b"\xff\xd0\xff\x01"):
        data = photograph[:first] + junk + photograph[first:]
        assert np.array_equal(decoded(tmp_path, data), decoded(tmp_path, photograph))


def test_a_thumbnail_inside_it_ends_nothing(tmp_path: Path, photograph: bytes) -> None:
    thumbnail = encoded(scene(), "JPEG", progressive=True)
    data = photograph[:2] + segment(0xE1, b"Exif\0\0" + exif(6).tobytes()[6:] + thumbnail) + photograph[2:]
    assert decoded(tmp_path, data).shape == (64, 48, 3)
    assert _scans(tmp_path, data) == _scans(tmp_path, photograph)


def test_scans_are_counted_up_to_the_end_of_the_picture(tmp_path: Path) -> None:
    photograph = encoded(noise(), "JPEG", progressive=True)
    last = photograph[photograph.rindex(b"\xff\xda") : -2]
    scans = _scans(tmp_path, photograph)
    assert scans == photograph.count(b"\xff\xda") > 5
    assert _scans(tmp_path, photograph[:-2] + last * 7 + b"\xff\xd9" + last * 200) == scans + 7
    assert _scans(tmp_path, photograph[:-2] + last * 7) == scans + 7  # no end at all


def test_a_vast_photograph_may_be_drawn_less_often(tmp_path: Path) -> None:
    photograph = bytearray(encoded(noise(), "JPEG", progressive=True))
    last = photograph[photograph.rindex(b"\xff\xda") : -2]
    at = photograph.index(b"\xff\xc2")
    photograph[at + 5 : at + 9] = (15_000).to_bytes(2, "big") * 2
    (tmp_path / "a.jpg").write_bytes(photograph[:-2] + last * 50 + b"\xff\xd9")
    with pytest.raises(PhotographError, match="more than 40 scans"):
        upright_size(tmp_path / "a.jpg")


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("grey", [False, True])
def test_several_pictures_in_a_file_are_the_first(tmp_path: Path, progressive: bool, grey: bool) -> None:
    """Stereo pictures, and photographs with a gain map for screens that shine brighter."""
    gain = scene(12, 8).convert("L") if grey else scene(12, 8)
    hdr = b'<x hdrgm:Version="1.0"/>'
    for more in ({}, {"xmp": hdr}, {"exif": exif(6)}):
        data = encoded(scene(), "MPO", save_all=True, append_images=[gain, gain], progressive=progressive, **more)
        array = decoded(tmp_path, data)
        assert array.shape == ((24, 16, 3) if "exif" in more else (16, 24, 3))
        assert upright_size(tmp_path / "picture") == array.shape[:2]


def test_a_damaged_index_of_pictures_costs_nothing(tmp_path: Path) -> None:
    data = encoded(scene(), "MPO", save_all=True, append_images=[scene(12, 8)])
    at = data.index(b"MPF\0")
    for size in range(4, 80, 3):
        damaged = data[: at + size] + b"\xff" * 8 + data[at + size + 8 :]
        assert decoded(tmp_path, damaged).shape == (16, 24, 3)


def test_a_colour_profile_in_hundreds_of_segments(tmp_path: Path) -> None:
    profile = swapped_primaries(padding=3_000_000)
    pieces = [profile[at : at + 14_000] for at in range(0, len(profile), 14_000)]
    assert len(pieces) > 200
    segments = [
        segment(0xE2, b"ICC_PROFILE\0" + bytes((number, len(pieces))) + piece)
        for number, piece in enumerate(pieces, start=1)
    ]
    red = encoded(Image.new("RGB", (8, 8), (255, 0, 0)), "JPEG", quality=95)
    for order in (segments, segments[::-1]):
        shown = decoded(tmp_path, red[:2] + b"".join(order) + red[2:])[4, 4]
        assert shown[0] < 60 and shown[1] > 200
    assert decoded(tmp_path, red[:2] + b"".join(segments[1:]) + red[2:])[4, 4, 0] > 240  # one is missing


def test_the_orientation_of_xmp_counts_where_exif_has_none(tmp_path: Path) -> None:
    photograph = encoded(scene(), "JPEG")
    xmp = segment(0xE1, XMP + b'<rdf:Description tiff:Orientation="6"/>')
    assert decoded(tmp_path, photograph[:2] + xmp + photograph[2:]).shape == (24, 16, 3)


@pytest.mark.parametrize("length", [0, 1])
def test_a_segment_without_length_is_for_the_decoder_to_refuse(tmp_path: Path, length: int) -> None:
    photograph = encoded(scene(), "JPEG")
    (tmp_path / "a").write_bytes(photograph[:2] + b"\xff\xe5\0" + bytes((length,)) + photograph[2:])
    with pytest.raises(PhotographError):
        decode(tmp_path / "a")


def test_what_has_a_film_behind_it_is_decoded_small_too(tmp_path: Path, photograph: bytes) -> None:
    (tmp_path / "a").write_bytes(photograph[:2] + NOTES + photograph[2:] + FILM)
    (tmp_path / "b").write_bytes(photograph)
    small, plain = (decode_at_least(tmp_path / name, longest=16, shortest=12) for name in "ab")
    assert small.image.size == (16, 12) and small.image.tobytes() == plain.image.tobytes()


def test_a_file_of_nothing_but_segments_is_given_up_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_READS", 50_000)
    for piece in (b"\xff\xe0\0\x02", b"\xff\xe0\0\x02?", b"\xff\xda\0\x02?"):
        (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xc2\0\x0b\x08\0\x10\0\x10\x01\1\x11\0" + piece * 1_000_000)
        with pytest.raises(PhotographError, match="pieces too small|scans"):
            decode(tmp_path / "a.jpg")


def test_a_picture_that_ends_before_it_begins(tmp_path: Path) -> None:
    photograph = encoded(noise(), "JPEG")
    (tmp_path / "a.jpg").write_bytes(photograph[:20] + b"\xff\xd9" + photograph[20:])
    with pytest.raises(PhotographError):
        decode(tmp_path / "a.jpg")
