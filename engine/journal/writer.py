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

_SECONDS = 1.0
_LINES = 4096
"""What may wait for the disk: lines of so many seconds, and at most so many."""


class Writer:
    """The end of a journal.

    Args:
        path: made if it is not there.
        end: where to go on; what stands behind it is a torn line, and is cut off.

    Attributes:
        written: lines that the system has: they outlive this process.
        durable: those of them that are on the disk: they outlive a power cut.

    Raises:
        MglmmError: as all methods, if the disk is full or broken. The journal is whole up to the line before, and
            nothing more can be appended.
    """

    def __init__(self, path: Path, end: int = 0) -> None:
        self._path = path
        self._end = end
        self.written = self.durable = 0
        self._failed = False
        new = not path.exists()
        self._file = FileIO(path, "ab")
        self._file.truncate(end)
        self._synced = 0.0
        if new:
            _sync_folder(path.parent)

    def append(self, value: dict[str, Any]) -> None:
        """Add a line of any kind."""
        self.append_text(dump(value))

    def append_text(self, text: bytes) -> None:
        """Add a line that is JSON already."""
        if self._failed:
            raise MglmmError(f"{self._path}: nothing can be written behind a line that could not")
        line = seal(text)
        try:
            done = self._file.write(line)
            while done < len(line):  # a short write: the next one says why, or goes on
                done += self._file.write(memoryview(line)[done:])
        except OSError as error:
            raise self._give_up(error) from error
        self._end += len(line)
        self.written += 1
        if self.written - self.durable >= _LINES or time.monotonic() - self._synced >= _SECONDS:
            self.sync()

    def sync(self) -> None:
        """Bring all lines to the disk."""
        if self._failed or self.durable == self.written:
            return
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            # What the system could not write it may have dropped: to try again would seem to work.
            raise self._give_up(error) from error
        self.durable = self.written
        self._synced = time.monotonic()

    def close(self) -> None:
        """Bring all lines to the disk and let go."""
        try:
            self.sync()
        finally:
            self._file.close()

    def _give_up(self, error: OSError) -> MglmmError:
        self._failed = True
        # A torn line at the end would be cut off by the next run in any case.
        with suppress(OSError):
            self._file.truncate(self._end)
        what = (
            "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else f"can't be written: {error.strerror}"
        )
        return MglmmError(f"{self._path}: {what}. What it holds is safe: mend that, and run the same command again")


def _sync_folder(folder: Path) -> None:
    """Make a new name durable, where the system lets a folder be opened."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
