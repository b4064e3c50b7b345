"""One process at a time in a folder; the system lets go of the lock of a process that died."""

from __future__ import annotations

import errno
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from engine.errors import MglmmError, UsageError
from engine.journal.regular import open_regular

LOCK = ".lock"
"""The file in the folder."""
_OURS = re.compile(rb"[0-9\0]*\s*")
"""A process's number; after a power cut, some systems have zeros in its place."""
_LONGEST = 32
_BYTE = 1 << 30
"""On Windows, where a locked byte can't be read, one behind the process's number is locked."""


class Lock:
    """Holds a folder until it is closed or the process ends; a context manager.

    Args:
        folder: must exist.

    Raises:
        UsageError: if what has the lock's name is not one.
        MglmmError: if another process has it, or the file system knows no locks.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK
        while True:
            self._file = _open(self._path, os.O_RDWR | os.O_CREAT)
            try:
                _take(self._file.fileno())
            except OSError as error:
                holder = self._holder()
                self._file.close()
                raise _refusal(folder, holder, error) from None
            if self._is_still_there():
                break
            # The one before has let go of it and taken the file away, between our opening and locking it.
            self._file.close()
        self._file.seek(0)
        self._file.truncate(0)
        self._file.write(b"%d\n" % os.getpid())
        self._file.flush()

    def close(self) -> None:
        """Let go."""
        if self._file.closed:
            return
        # While it is held, so that nobody holds a file without a name. Windows removes no open file.
        with suppress(OSError):
            self._path.unlink()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _holder(self) -> str:
        self._file.seek(0)
        return self._file.read(_LONGEST).decode("ascii", "replace").strip()

    def _is_still_there(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), os.stat(self._path))
        except FileNotFoundError:
            return False


def holder(folder: Path) -> str | None:
    """The number of the process that has a folder; None if none has. Nothing is changed."""
    try:
        file = _open(folder / LOCK, os.O_RDONLY)
    except (OSError, UsageError):
        return None
    with file:
        try:
            _take(file.fileno())
        except OSError:
            return file.read(_LONGEST).decode("ascii", "replace").strip() or "unknown"
    return None


def _open(path: Path, flags: int) -> BinaryIO:
    """A lock, or nothing yet; whatever else has its name is somebody's, and would be overwritten."""
    file: BinaryIO = os.fdopen(open_regular(path, flags), "rb" if flags == os.O_RDONLY else "r+b", 0)
    content = file.read(_LONGEST + 1)
    if os.fstat(file.fileno()).st_nlink > 1 or len(content) > _LONGEST or not _OURS.fullmatch(content):
        file.close()
        raise UsageError(f"{path} is not a lock of mglmm: take it away, or choose another folder")
    file.seek(0)
    return file


def _refusal(folder: Path, holder: str, error: OSError) -> MglmmError:
    if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
        return MglmmError(f"{folder} is in use by process {holder or 'unknown'}: wait for it, or choose another folder")
    return MglmmError(f"{folder} can't be locked ({error.strerror}): choose a folder on another file system")


if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        os.lseek(descriptor, _BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
