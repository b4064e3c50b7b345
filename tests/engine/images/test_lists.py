"""Lists of names, in the forms that programs write."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.images.lists import read_names

NAMES = ["a.jpg", "s/é 写真.jpg", "上海.jpg", "\U0001f335.jpg"]
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")


def _names(data: bytes) -> list[str]:
    return list(read_names(io.BytesIO(data)))


def _encoded(text: str, encoding: str) -> bytes:
    """With its mark, if the encoding has one."""
    return text.encode(encoding) if encoding.startswith("utf-8") else ("\ufeff" + text).encode(encoding)


@pytest.mark.parametrize(
    ("encoding", "end"),
    [*((e, end) for e in ENCODINGS for end in ("\n", "\r\n")), ("utf-8", "\0"), ("utf-8-sig", "\0")],
)
def test_every_encoding_with_its_mark(encoding: str, end: str) -> None:
    for last in ("", end, end * 3):
        assert _names(_encoded(end.join(NAMES) + last, encoding)) == NAMES
        assert _names(_encoded(NAMES[2] + last, encoding)) == NAMES[2:3]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_lists_that_were_put_together(encoding: str) -> None:
    part = _encoded("\n".join(NAMES) + "\n", encoding)
    assert _names(part * 3) == NAMES * 3
    unfinished = _encoded("\n".join(NAMES), encoding)
    if encoding != "utf-8":
        assert _names(unfinished * 2) == NAMES * 2


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_list_comes_as_it_is_written(encoding: str) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stdin, os.fdopen(writing, "wb", buffering=0) as feed:
        found = read_names(stdin)
        whole = _encoded("a.jpg\nb.jpg\nc", encoding)
        for name in ("a.jpg", "b.jpg"):
            end = whole.index(_encoded(name, encoding)[-4:]) + len("\n".encode(encoding.replace("-sig", ""))) + 4
            feed.write(whole[:end])
            whole = whole[end:]
            assert next(found) == name


def test_a_list_byte_by_byte() -> None:
    class Slow(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            return self.read(1)

    for encoding in ENCODINGS:
        assert list(read_names(Slow(_encoded("\r\n".join(NAMES), encoding)))) == NAMES


def test_names_that_are_no_text_stay_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for first in (b"\xff\xfe.jpg", b"\xfe\xff.jpg", b"\xff", b"caf\xe9.jpg"):
        for end in (b"\n", b"\0"):
            expected = [os.fsdecode(first), "b.jpg"]
            assert _names(first + end + b"b.jpg" + end) == expected


def test_marks_and_blanks_around_names_are_left_away_unless_files_are_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "a.jpg  \n\t b c.jpg\t\r\n   \n\ufeffd.jpg\n"
    assert _names(text.encode()) == ["a.jpg", "b c.jpg", "d.jpg"]
    for name in ("a.jpg", "a.jpg  ", "\ufeffd.jpg"):
        (tmp_path / name).touch()
    assert _names(text.encode()) == ["a.jpg  ", "b c.jpg", "\ufeffd.jpg"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("写.jpg\na.jpg\n".encode("utf-16-le"), "UTF-16 without its mark"),
        ("aaaa/b.jpg\n".encode("utf-16-be"), "UTF-16 without its mark"),
        ("aaaa/b.jpg\n".encode("utf-16-le"), "UTF-16 without its mark"),
        ("\ufeffa.jpg\n".encode("utf-16-le") + b"x", "UTF-16"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "picture"),
        (b"\x89PNG\r\n\x1a\n", "picture"),
        (b"\xfe" * 100_000, "no list"),
    ],
)
def test_what_is_no_list_is_said_in_a_line(data: bytes, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        _names(data)
    assert "\n" not in str(caught.value)


def test_short_names_between_nuls_are_a_list() -> None:
    names = list("abcdefgh")
    assert _names(b"\0".join(name.encode() for name in names)) == names
