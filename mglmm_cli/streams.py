"""stdin, stdout and stderr as a program may find them: closed, without a reader, with few letters, on a full disk.

Results and progress differ: without a reader of the results there is nothing left to do, without one of the progress
all goes on.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import Any, TextIO

_ERRORS = "backslashreplace"
"""For letters that the stream's encoding lacks: to look odd is better than to fail."""


class ReaderGone(BaseException):
    """Nobody reads stdout any more. Not an `Exception`: nothing on the way may take it for a failure of its own."""


class Nowhere(io.TextIOWrapper):
    """A stream that was closed when the program began; what is written to it is gone."""


class _Results(io.FileIO):
    """Raises: ReaderGone, once. OSError, once: what is left in buffers then would fail a second time at the exit."""

    def write(self, data: Any, /) -> int | None:  # type: ignore[override]
        try:
            return super().write(data)
        except OSError as error:
            _lead_nowhere(self.fileno())
            if isinstance(error, BrokenPipeError):
                raise ReaderGone from None
            raise


class _Progress(io.FileIO):
    """Takes all there is, whether it can be written or not."""

    def write(self, data: Any, /) -> int:
        done = None
        try:
            done = super().write(data)
        except OSError:
            # What libraries and further processes write there fails no more either.
            _lead_nowhere(self.fileno())
        return memoryview(data).nbytes if done is None else done


def prepare() -> None:
    """Make the three streams ones that a program can rely on."""
    for descriptor in range(3):
        # Otherwise the next file that is opened would be stdout or stderr to libraries, and get what they print.
        try:
            os.fstat(descriptor)
        except OSError:
            # Takes the lowest number that is free; further processes have it too.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BytesIO())
    sys.stdout = _prepared(sys.stdout, sys.__stdout__, _Results)
    sys.stderr = _prepared(sys.stderr, sys.__stderr__, _Progress)


def write_progress(line: bytes) -> None:
    """Write to stderr from a signal handler: the stream itself may be in the middle of a line."""
    with suppress(OSError):
        os.write(2, line)


def _prepared(stream: TextIO | None, original: TextIO | None, kind: type[io.FileIO]) -> TextIO:
    if stream is None:
        return Nowhere(open(os.devnull, "wb"), encoding="utf-8", errors=_ERRORS)
    # Somebody else's stream is left alone, and so is the console of Windows, which is written to in another way.
    if stream is not original or not isinstance(stream, io.TextIOWrapper):
        return stream
    raw = getattr(stream.buffer, "raw", stream.buffer)
    if type(raw) is not io.FileIO:
        return stream
    file = kind(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(file), encoding=stream.encoding, errors=_ERRORS, line_buffering=stream.line_buffering
    )


def _lead_nowhere(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
