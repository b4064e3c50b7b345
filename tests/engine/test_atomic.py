"""Files are whole or not there."""

from __future__ import annotations

import errno
import os
import resource
import signal
from pathlib import Path

import pytest

from engine.atomic import discard_leftovers, replacing, require_folder
from engine.errors import UsageError


class Killed(BaseException):
    pass


def test_a_file_that_is_not_written_to_its_end_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "below" / "state"
    with replacing(path) as file:
        file.write(b"old")
    with pytest.raises(Killed), replacing(path) as file:
        file.write(b"ne")
        raise Killed
    assert path.read_bytes() == b"old"
    with replacing(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in path.parent.iterdir()] == ["state"]


def _write(path: Path, size: int) -> None:
    with replacing(path) as file:
        file.write(bytes(size))


def test_a_full_disk_is_told_with_the_name_of_the_file_and_leaves_nothing(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
        with pytest.raises(OSError, match="large") as caught:
            _write(tmp_path / "state", 1 << 20)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(tmp_path / "state"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_can_not_take_its_name_is_told_by_that(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with pytest.raises(OSError) as caught:
        _write(tmp_path / "state", 1)
    assert caught.value.filename == str(tmp_path / "state")
    assert list(tmp_path.iterdir()) == [tmp_path / "state"]


def test_only_what_a_killed_writer_left_is_discarded(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    for name in (".0123456789abcdef.tmp", "below/.fedcba9876543210.tmp"):
        (tmp_path / name).touch()
    for name in ("a.tmp", ".0123.tmp", "below/.hidden"):
        (tmp_path / name).touch()
    discard_leftovers(tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == [
        ".0123.tmp",
        "a.tmp",
        "below/.hidden",
    ]


def test_a_folder_that_can_not_be_made_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    (tmp_path / "itself").symlink_to("itself")
    (tmp_path / "nowhere").symlink_to("gone")
    (tmp_path / "file").write_text("")
    (tmp_path / "linked").symlink_to(tmp_path)
    for name, reason in (
        ("itself", "levels of symbolic links"),
        ("itself/below", "levels of symbolic links"),
        ("nowhere", "nowhere is a link to nowhere"),
        ("nowhere/below", "nowhere is a link to nowhere"),
        ("file", "file is not a folder"),
        ("file/below", "not a directory"),
        ("n" * 300, "too long"),
        ("nul\0", "null"),
    ):
        with pytest.raises(UsageError, match=f"{reason}.*choose another") as caught:
            require_folder(tmp_path / name)
        assert "\0" not in str(caught.value)
    for name in ("", "new", "new/below", "linked", "linked/new"):
        require_folder(tmp_path / name)
    require_folder(Path("new"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "itself", "linked", "nowhere"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(UsageError, match="no permission"):
            require_folder(tmp_path / "new")
    finally:
        tmp_path.chmod(0o700)


def test_what_is_no_file_keeps_its_name(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        with pytest.raises(UsageError, match="is a pipe, a device or the like, not a file"), replacing(path):
            pass
    assert pipe.is_fifo() and link.is_symlink()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["link", "pipe"]
