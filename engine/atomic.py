"""Files that are either whole or not there."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from engine.errors import UsageError

_DIGITS = 16
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What only writing meets."""
_LEFTOVER = re.compile(rf"\.[0-9a-f]{{{_DIGITS}}}\.tmp")


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write that takes its name only once it is complete and on disk.

    Until then, and after an error, whatever `path` held stays as it is. Missing folders are made.

    Raises:
        UsageError: if a device, a pipe or the like is there: its name would be taken from it.
        OSError: if the folder can't be written.
    """
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        raise UsageError(f"{path} is a pipe, a device or the like, not a file: give another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, as a rename is atomic only within one file system.
    temporary = path.parent / f".{secrets.token_hex(_DIGITS // 2)}.tmp"
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        # A write does not say to which file, and nobody knows the temporary one.
        if isinstance(error, OSError) and (error.filename is None and error.errno in _FULL or _is(temporary, error)):
            error.filename = str(path)
        raise
    sync(path.parent)


def _is(path: Path, error: OSError) -> bool:
    return error.filename is not None and os.fspath(error.filename) == str(path)


def require_folder(path: Path) -> None:
    """Check that a folder can be written into or be made, before work begins whose result goes there; make nothing.

    Raises:
        UsageError: saying what is in the way.
    """
    try:
        for place in (path, *path.parents):
            try:
                kind = place.stat().st_mode
            except FileNotFoundError:
                if place.is_symlink():
                    raise UsageError(f"{path}: {place} is a link to nowhere; choose another folder") from None
                continue
            if not stat.S_ISDIR(kind):
                raise UsageError(f"{path}: {place} is not a folder; choose another")
            if not os.access(place, os.W_OK | os.X_OK):
                raise UsageError(f"{path}: no permission to write into {place}; choose another folder")
            return
    except (OSError, ValueError) as error:  # a link to itself, too long a name, a NUL
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{str(path)!r}: {reason[:1].lower()}{reason[1:]}; choose another folder") from None


def is_leftover(name: str) -> bool:
    """Whether a file has the name of one that a killed process left."""
    return _LEFTOVER.fullmatch(name) is not None


def discard_leftovers(folder: Path) -> None:
    """Remove what a process that was killed in `replacing` left below a folder."""
    for path, _, names in os.walk(folder):
        for name in names:
            if is_leftover(name):
                Path(path, name).unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return  # some systems don't let a folder be opened
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
