"""Whether a file holds what it held."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from engine.journal import Fingerprint, fingerprint, stamp, unchanged


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"pixels" * 100_000)
    return path


def _aged(path: Path) -> str:
    os.utime(path, (1, 1))
    return stamp(path)


def test_the_content_is_the_beginning_of_the_sha256(photo: Path) -> None:
    assert fingerprint(photo, stamp(photo)).content == hashlib.sha256(photo.read_bytes()).hexdigest()[:32]


def test_a_touched_file_is_unchanged_and_another_content_is_not(photo: Path) -> None:
    known = fingerprint(photo, _aged(photo))
    os.utime(photo)
    assert unchanged(photo, known)
    photo.write_bytes(b"Pixels" * 100_000)
    os.utime(photo, (1, 1))
    assert not unchanged(photo, known)
    photo.unlink()
    assert not unchanged(photo, known)


def test_a_file_as_it_was_is_not_read(photo: Path) -> None:
    assert unchanged(photo, Fingerprint("what was in it", stamp(photo)))
    assert not unchanged(photo, Fingerprint("", stamp(photo)))


def test_a_young_file_is_read_again(photo: Path) -> None:
    known = fingerprint(photo, stamp(photo))
    assert known.content and not known.stamp
    assert unchanged(photo, known)


def test_what_changed_while_it_was_worked_on_is_unknown(photo: Path) -> None:
    before = _aged(photo)
    photo.write_bytes(b"other")
    assert fingerprint(photo, before) == Fingerprint("", "")


def test_what_is_no_file_is_unknown(tmp_path: Path, photo: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10 << 30)
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "sparse", tmp_path / "nowhere", Path("nul\0")):
        assert stamp(path) == ""
        assert fingerprint(path, stamp(path)) == Fingerprint("", "")
