"""Streams that are closed, have no reader, are on a full disk or know few letters."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import pytest

from mglmm_cli.streams import Nowhere, ReaderGone, _prepared, _Progress, _Results, write_progress

ROOT = Path(__file__).parents[2]


def _in_a_shell(code: str, redirection: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `code` behind `prepare()`, with streams as a shell redirects them."""
    return subprocess.run(
        [
            "sh",
            "-c",
            f'"$0" -c "$1" {redirection}',
            sys.executable,
            f"from mglmm_cli.streams import *\nprepare()\n{code}",
        ],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


OPENED = """
import os
descriptor = os.open('opened', os.O_WRONLY | os.O_CREAT)
os.write(1, b'noise of a library'); os.write(2, b'noise of a library')
print('said'); print('said', file=sys.stderr, flush=True); sys.stdout.flush()
assert all(map(os.get_inheritable, range(3)))
os.write(descriptor, sys.stdin.read().encode() + b'ours %d' % descriptor)
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_file_that_is_opened_later(
    closed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = _in_a_shell("import sys" + OPENED, closed)
    assert done.returncode == 0, done.stderr
    content = (tmp_path / "opened").read_text()
    assert content.startswith("ours ") and int(content.split()[1]) > 2
    assert done.stdout == ("" if " >&-" in f" {closed}" else "noise of a librarysaid\n")


def test_a_closed_stdout_can_be_told() -> None:
    done = _in_a_shell("import sys\nsys.stderr.write(type(sys.stdout).__name__)", ">&-")
    assert done.stderr == Nowhere.__name__


def test_letters_that_a_terminal_lacks_are_written_out() -> None:
    code = "import sys\nfor stream in (sys.stdout, sys.stderr): print('caf\\xe9 \\u2615 \\udcff', file=stream)"
    done = _in_a_shell(code, "", PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == "caf\\xe9 \\u2615 \\udcff\n"


@pytest.fixture
def descriptors() -> Iterator[list[int]]:
    """Closed in the end."""
    opened: list[int] = []
    yield opened
    for descriptor in opened:
        os.close(descriptor)


def _readerless(descriptors: list[int]) -> int:
    reader, writer = os.pipe()
    os.close(reader)
    descriptors.append(writer)
    return writer


def _full(descriptors: list[int]) -> int:
    descriptors.append(os.open("/dev/full", os.O_WRONLY))
    return descriptors[-1]


def _stream(descriptor: int, kind: type[io.FileIO]) -> TextIO:
    plain = io.TextIOWrapper(io.BufferedWriter(io.FileIO(descriptor, "w", closefd=False)), encoding="ascii")
    return _prepared(plain, plain, kind)


def test_results_without_a_reader_end_it_once(descriptors: list[int]) -> None:
    stream = _stream(_readerless(descriptors), _Results)
    with pytest.raises(ReaderGone):
        print("a line", file=stream, flush=True)
    print("another", file=stream, flush=True)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_results_on_a_full_disk_are_an_error_once(descriptors: list[int]) -> None:
    stream = _stream(_full(descriptors), _Results)
    with pytest.raises(OSError, match="No space left"):
        print("a line", file=stream, flush=True)
    stream.flush()


@pytest.mark.parametrize("broken", [_readerless, _full])
def test_progress_is_no_reason_to_stop(broken: Callable[[list[int]], int], descriptors: list[int]) -> None:
    stream = _stream(broken(descriptors), _Progress)
    for _ in range(3):
        print("a line \u2615", file=stream, flush=True)
    os.write(descriptors[-1], b"what a library says")


def test_streams_of_others_are_left_alone() -> None:
    mine = io.StringIO()
    assert _prepared(mine, sys.__stdout__, _Results) is mine


def test_progress_of_a_signal_handler_needs_no_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int, data: bytes) -> int:
        raise BrokenPipeError

    monkeypatch.setattr(os, "write", fail)
    write_progress(b"stopping\n")


@pytest.mark.parametrize("args", [["--help"], ["segcap", "--help"], ["--version"], ["data", "formats"]])
def test_a_command_whose_reader_has_left_says_nothing(args: list[str], descriptors: list[int]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mglmm_cli", *args],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=_readerless(descriptors),
        stderr=subprocess.PIPE,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (141, b"")
