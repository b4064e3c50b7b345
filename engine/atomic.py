"""Files that are either whole or not there."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from engine.errors import UsageError

_DIGITS = 16
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
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def discard_leftovers(folder: Path) -> None:
    """Remove what a process that was killed in `replacing` left below a folder."""
    for path, _, names in os.walk(folder):
        for name in names:
            if _LEFTOVER.fullmatch(name):
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
