"""A disk that is full or broken stops a run with one clear line, and the same command goes on once it is mended."""

from __future__ import annotations

import errno
import json
import os
import shutil
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from tests.reliability.photographs import make
from tests.reliability.program import Broken, Run, answered, journal_lines

PHOTOGRAPHS = 12
FULL_AFTER = 2500
"""Bytes: some photographs into the journal."""


class _SmallDisk(FileIO):
    """A file on a disk that takes so many bytes, the last of them in a short write."""

    number = errno.ENOSPC

    def write(self, data: Any, /) -> int:
        room = max(0, FULL_AFTER - self.seek(0, os.SEEK_END))
        if not room:
            raise OSError(self.number, os.strerror(self.number))
        return super().write(memoryview(data)[:room])


class _BrokenDisk(_SmallDisk):
    number = errno.EIO


class _ShortWrites(FileIO):
    """A file that takes seven bytes at a time, as the system may."""

    def write(self, data: Any, /) -> int:
        return super().write(memoryview(data)[:7])


def _journal_on(file: type[FileIO]) -> None:
    import engine.journal.writer

    engine.journal.writer.FileIO = file  # type: ignore[misc]


def _sync_fails(number: int, suffix: str) -> None:
    """From the second time on, files of this suffix are not brought to the disk."""
    plain, times = os.fsync, 0

    def fsync(descriptor: int) -> None:
        nonlocal times
        if os.readlink(f"/proc/self/fd/{descriptor}").endswith(suffix):
            times += 1
            if times > 1:
                raise OSError(number, os.strerror(number))
        plain(descriptor)

    os.fsync = fsync  # type: ignore[assignment]


@pytest.fixture
def command(tiny_folder: Path, tmp_path: Path) -> list[str]:
    make(tmp_path / "photos", PHOTOGRAPHS)
    how = ["--granularity", "panoptic", "--max-new-tokens", "4", "--batch-size", "2"]
    return ["segcap", "photos", "-o", "out", "--model", str(tiny_folder), *how]


def _photographs(out: Path) -> list[str]:
    return [image["file_name"] for image in json.loads((out / "segcap.json").read_bytes())["images"]]


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (partial(_journal_on, _SmallDisk), "out/journal.jsonl: the disk is full. "),
        (partial(_journal_on, _BrokenDisk), "out/journal.jsonl: can't be written: Input/output error. "),
        (partial(_sync_fails, errno.EIO, ".jsonl"), "out/journal.jsonl: can't be written: Input/output error. "),
    ],
    ids=["ENOSPC", "EIO", "EIO-sync"],
)
def test_a_journal_that_can_not_be_written_goes_on_once_it_can(
    tmp_path: Path, command: list[str], prepare: Any, said: str
) -> None:
    # Slower than a second a batch, so that there is something to bring to the disk each time.
    run = Run(tmp_path, command, Broken(prepare=prepare, delay=1.1 if "sync" in prepare.func.__name__ else 0))
    assert run.wait() == 1
    [line] = [line for line in run.errors.splitlines() if "journal" in line]
    assert line == f"mglmm: {said}What it holds is safe: mend that, and run the same command again"
    assert (tmp_path / "out" / "journal.jsonl").read_bytes().endswith(b"\n")
    kept = journal_lines(tmp_path / "out")
    assert not (tmp_path / "out" / "segcap.json").exists()
    done = answered(tmp_path).total()
    assert Run(tmp_path, command).wait() == 0
    assert answered(tmp_path).total() - done == PHOTOGRAPHS - kept
    assert _photographs(tmp_path / "out") == [f"{number:05}.png" for number in range(PHOTOGRAPHS)]


def test_short_writes_lose_nothing(tmp_path: Path, command: list[str]) -> None:
    assert Run(tmp_path, command, Broken(prepare=partial(_journal_on, _ShortWrites))).wait() == 0
    assert len(_photographs(tmp_path / "out")) == PHOTOGRAPHS


def test_outputs_that_can_not_be_written_are_made_later(tmp_path: Path, command: list[str]) -> None:
    out = tmp_path / "out"
    assert Run(tmp_path, command).wait() == 0
    before = (out / "segcap.json").read_bytes()
    make(tmp_path / "photos" / "more", 2)
    run = Run(tmp_path, command, Broken(prepare=partial(_no_room_for_outputs)))
    assert run.wait() == 1
    assert "the outputs can't be written (no space left on device)" in run.errors
    assert run.errors.splitlines()[-1].endswith("run mglmm rebuild out")
    assert (out / "segcap.json").read_bytes() == before
    assert Run(tmp_path, ["rebuild", "out"]).wait() == 0
    assert len(_photographs(out)) == PHOTOGRAPHS + 2
    assert sorted(path.name for path in out.iterdir()) == ["journal.jsonl", "segcap.json"]


def _no_room_for_outputs() -> None:
    _sync_fails(errno.ENOSPC, ".tmp")
    # The first one counts as well.
    descriptor = os.open("probe.tmp", os.O_CREAT | os.O_WRONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def test_a_folder_that_is_removed_meanwhile_is_a_failure(tmp_path: Path, command: list[str]) -> None:
    out = tmp_path / "out"
    run = Run(tmp_path, command, Broken(delay=0.3))
    assert run.wait_until(lambda: journal_lines(out) > 1)
    shutil.rmtree(out)
    assert run.wait() == 1
    assert run.errors.splitlines()[-1] == (
        "mglmm: out/journal.jsonl was removed while it was written: what was done since it began is lost"
    )
    assert "Traceback" not in run.errors


def test_a_folder_that_is_moved_meanwhile_keeps_all(tmp_path: Path, command: list[str]) -> None:
    out = tmp_path / "out"
    run = Run(tmp_path, command, Broken(delay=0.3))
    assert run.wait_until(lambda: journal_lines(out) > 1)
    out.rename(tmp_path / "elsewhere")
    assert run.wait() == 1
    assert "out/journal.jsonl is not there any more" in run.errors.splitlines()[-1]
    assert Run(tmp_path, ["rebuild", "elsewhere"]).wait() == 0
    assert len(_photographs(tmp_path / "elsewhere")) == PHOTOGRAPHS
