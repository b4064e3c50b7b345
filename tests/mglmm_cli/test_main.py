"""The door: whatever happens becomes a line and an exit code."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from typing import NoReturn

import click
import pytest

from engine.errors import MglmmError, UsageError
from mglmm_cli.main import _run, cli
from mglmm_cli.streams import ReaderGone

Say = Callable[[BaseException | Callable[[], object], str], tuple[int, str]]


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """The exit code of a command that fails like this, and what stands on stderr then."""

    def run(cause: BaseException | Callable[[], object], args: str = "boom") -> tuple[int, str]:
        def body() -> None:
            if isinstance(cause, BaseException):
                raise cause
            cause()

        command = click.Command("boom", callback=body)
        monkeypatch.setattr(type(cli), "get_command", lambda *_: command)
        code = _run(args.split())
        captured = capsys.readouterr()
        assert captured.out == ""
        return code, captured.err

    return run


def _recurse() -> NoReturn:
    _recurse()


def _raised(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (TypeError("can't add\nthat"), "TypeError: can't add ... that"),
        (KeyError("segcaps"), "KeyError: 'segcaps'"),
        (ZeroDivisionError(), "ZeroDivisionError: "),
        (UnicodeEncodeError("ascii", "\xe9", 0, 1, "ordinal not in range"), "UnicodeEncodeError: 'ascii' codec"),
        (EOFError("Ran out of input"), "EOFError: Ran out of input"),
        (OSError("no number"), "OSError: no number"),
        (RuntimeError("x" * 100_000), "RuntimeError: " + "x" * 500 + ";"),
        (ValueError("\x1b[2J\udcff"), "ValueError: \ufffd[2J\ufffd"),
        (
            RuntimeError("a bug in the process on cpu:\nTraceback:\n  File\nKeyError: 'x'\n"),
            "on cpu: ... KeyError: 'x'",
        ),
    ],
)
def test_what_nobody_expected_is_one_line(error: BaseException, line: str, say: Say) -> None:
    code, said = say(error, "boom")
    assert code == 1 and said.count("\n") == 1
    assert said.startswith("mglmm: unexpected error: ") and line in said
    assert "'mglmm --debug' shows where; please report it" in said


def test_recursion_without_end_is_one_line(say: Say) -> None:
    code, said = say(_recurse, "boom")
    assert code == 1 and said.count("\n") == 1 and "unexpected error: RecursionError: maximum recursion" in said


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        _raised(UsageError("model/config.json: no network can be built of it"), MemoryError()),
    ],
)
def test_memory_that_runs_out_is_one_line_that_says_what_to_do(error: BaseException, say: Say) -> None:
    code, said = say(error, "boom")
    assert (code, said.count("\n")) == (1, 1)
    assert said.startswith("mglmm: memory ran out: a smaller model, a smaller batch (--batch-size; in a recipe")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("there is no such folder"), 2, "there is no such folder"),
        (MglmmError("the disk is full"), 1, "the disk is full"),
        (_raised(MglmmError("cuda has no memory left"), MemoryError()), 1, "cuda has no memory left"),
        (OSError(errno.ENOSPC, "No space left on device", "out"), 1, "no space left on device: out"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 1, "broken pipe"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (click.Abort(), 130, "interrupted"),
        (_raised(ImportError("torch could not be imported"), KeyboardInterrupt()), 130, "interrupted"),
    ],
)
def test_what_is_known_says_what_it_is(error: BaseException, code: int, line: str, say: Say) -> None:
    assert say(error, "boom") == (code, f"mglmm: {line}\n")


def test_a_reader_that_has_left_is_no_failure(say: Say) -> None:
    assert say(ReaderGone(), "boom") == (141, "")


@pytest.mark.parametrize("error", [KeyError("segcaps"), MglmmError("the disk is full"), MemoryError()])
def test_debug_shows_where(error: BaseException, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = say(error, "--debug boom")
    assert code == 1
    assert said.startswith("Traceback (most recent call last):") and "in body" in said
    assert said.splitlines()[-1].startswith("mglmm: ")
    monkeypatch.setenv("MGLMM_DEBUG", "1")
    assert "in body" in say(error, "boom")[1]
    monkeypatch.setenv("MGLMM_DEBUG", "0")
    assert "Traceback" not in say(error, "boom")[1]


def test_a_result_that_can_not_be_written_at_the_end_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sys.stdout", Full())
    assert _run(["--version"]) == 1
    assert capsys.readouterr().err == "mglmm: no space left on device\n"


def test_only_ascii_is_said_where_nothing_else_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stderr", io.TextIOWrapper(raw, encoding="ascii", errors="backslashreplace"))
    assert _run(["segcap", "caf\xe9", "-o", "-"]) == 2
    assert raw.getvalue() == b"mglmm: caf\\xe9: no such file or folder\n"


@pytest.mark.parametrize("word", ["a\0b", "\ud800"])
def test_what_no_shell_hands_over_is_wrong_usage(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["status", word]) == 2
    line = "mglmm: an argument holds a NUL or half a character, which no shell hands over; see 'mglmm --help'\n"
    assert capsys.readouterr().err == line
