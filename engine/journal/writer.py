"""Appends lines to a journal: each reaches the system at once, and the disk together with its neighbours in time."""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any

from engine.errors import MglmmError
from engine.journal.lines import dump, seal
from engine.journal.regular import open_regular

_SECONDS = 1.0
_LINES = 4096
"""What may wait for the disk: lines of so many seconds, and at most so many."""


class Writer:
    """The end of a journal.

    Args:
        path: made if it is not there.
        end: where to go on; what stands behind it is a torn line, and is cut off.

    Attributes:
        end: where the next line begins.
        written: photographs that the system has: they outlive this process.
        durable: those of them that are on the disk: they outlive a power cut.

    Raises:
        UsageError: if something else than a file is there.
        MglmmError: as all methods, if the disk is full or broken, or the file was taken away. The journal is whole up
            to the line before, and nothing more can be appended.
    """

    def __init__(self, path: Path, end: int = 0) -> None:
        self._path = path
        self.end = end
        self.written = self.durable = 0
        self._failed: MglmmError | None = None  # said to every thread that would write behind it
        new = not path.exists()
        self._file = FileIO(path, "ab", opener=open_regular)
        self._file.truncate(end)
        self._waiting = 0  # lines
        self._synced = 0.0
        if new:
            _sync_folder(path.parent)

    def note(self, value: dict[str, Any]) -> None:
        """Add a line that is no photograph's."""
        self._append(dump(value))

    def append(self, text: bytes) -> None:
        """Add the line of a photograph, which is JSON already."""
        self._append(text)
        self.written += 1
        if self._waiting >= _LINES or time.monotonic() - self._synced >= _SECONDS:
            self.sync()

    def sync(self) -> None:
        """Bring all lines to the disk."""
        if self._failed or not self._waiting:
            return
        try:
            os.fsync(self._file.fileno())
            there = os.fstat(self._file.fileno()).st_nlink
        except OSError as error:
            # What the system could not write it may have dropped: to try again would seem to work.
            raise self._give_up(error) from error
        if not there:
            self._failed = MglmmError(
                f"{self._path} was removed while it was written: what was done since it began is lost"
            )
            raise self._failed
        self.durable = self.written
        self._waiting = 0
        self._synced = time.monotonic()

    def close(self) -> None:
        """Bring all lines to the disk and let go."""
        try:
            self.sync()
        finally:
            self._file.close()

    def _append(self, text: bytes) -> None:
        if self._failed:
            raise MglmmError(str(self._failed))
        line = seal(text)
        try:
            done = self._file.write(line)
            while done < len(line):  # a short write: the next one says why, or goes on
                done += self._file.write(memoryview(line)[done:])
        except OSError as error:
            raise self._give_up(error) from error
        self.end += len(line)
        self._waiting += 1

    def _give_up(self, error: OSError) -> MglmmError:
        # A torn line at the end would be cut off by the next run in any case.
        with suppress(OSError):
            self._file.truncate(self.end)
        what = (
            "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else f"can't be written: {error.strerror}"
        )
        self._failed = MglmmError(
            f"{self._path}: {what}. What it holds is safe: mend that, and run the same command again"
        )
        return self._failed


def _sync_folder(folder: Path) -> None:
    """Make a new name durable, where the system lets a folder be opened."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
