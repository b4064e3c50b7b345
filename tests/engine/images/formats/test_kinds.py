"""Which files are photographs."""

from __future__ import annotations

import pytest
from PIL import Image

from engine.images.formats.kinds import (
    HEAD,
    ending,
    format_of,
    has_suffix,
    is_photograph,
    may_hold_photograph,
    other_kind,
)
from tests.engine.images.made import encoded, scene

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF")


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_known_by_its_first_bytes(kind: str) -> None:
    head = encoded(scene(), kind)[:HEAD]
    assert format_of(head) == kind and other_kind(head) in (None, kind)
    assert is_photograph("a", head)
    # Raw pictures begin as TIFF.
    assert is_photograph("a.nothing", head) == (kind != "TIFF")


def test_what_is_no_photograph() -> None:
    for head in (b"", b"BM", b"BMW and others\n" * 5, b"hello world, this is text" * 3, b"\xff\xd8", b"RIFF1234AVI "):
        assert not is_photograph("a", head), head
    for kind in ("PPM", "TGA", "PCX", "ICO"):
        assert not is_photograph("a", encoded(Image.new("RGB", (16, 16)), kind)[:HEAD])


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heicmiaf", "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "AVIF"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", "film"),
        (b"%PDF-1.7", "PDF"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"plain words", None),
    ],
)
def test_other_kinds_have_a_name(head: bytes, kind: str | None) -> None:
    assert other_kind(head) == kind
    assert (format_of(head) == "AVIF") == (kind == "AVIF")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("IMG_1.HEIC", "heic"),
        ("a.tar.gz", "gz"),
        ("none", ""),
        (".hidden", ""),
        ("What I saw. And what I did not", ""),
        ("a.jpg_original", "jpg_original"),
        ("a.b\x1b[31mc", ""),
        ("2024.05.31", "31"),
    ],
)
def test_endings(name: str, found: str) -> None:
    assert ending(name) == found


def test_names_say_what_need_not_be_looked_into() -> None:
    assert all(map(has_suffix, ("a.JPG", "a.jfif", "b.Jpe", "c.MPO", "d.jif", "e.avif", "f.tiff")))
    assert all(map(may_hold_photograph, ("IMG_1.HEIC", "IMG_5", "x.31", "photo.pjpeg", "photo.jpg_large", "a.dat")))
    assert not any(map(may_hold_photograph, ("a.mp4", "b.NEF", "c.json", "d.jpg.part", "e.jpg~", "f.jpg_original")))
