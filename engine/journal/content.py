"""Whether a file still holds what it held: a hash of its bytes, and a stamp that saves reading them again."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from dataclasses import dataclass
from io import FileIO

_LARGEST = 2 << 30
"""Bytes; what is larger is no photograph that the engine takes, and takes long to read."""
_RECENT = 2_000_000_000
"""Nanoseconds. Clocks of file systems tick slowly: a file this young may change once more and look the same."""
_DIGITS = 32
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a file held.

    Attributes:
        content: the first 128 bits of the SHA-256 of its bytes, in hexadecimal; empty if they could not be read.
        stamp: size and times of the file that had these bytes; empty if it was too young to rely on that.
    """

    content: str
    stamp: str


UNKNOWN = Fingerprint("", "")


def stamp(path: str | os.PathLike[str]) -> str:
    """Size and times of a regular file; empty if it is none or too large."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return ""
    return _stamp(status)


def fingerprint(path: str | os.PathLike[str], before: str) -> Fingerprint:
    """Read a file and say what it holds.

    Args:
        path: of the file.
        before: its stamp when work on it began. If it has changed since, it is `UNKNOWN` what was worked on, as it is
            for a file that can't be read.
    """
    if not before:
        return UNKNOWN
    try:
        with open(path, "rb", buffering=0) as file:
            content = _digest(file)
            status = os.fstat(file.fileno())
    except (OSError, ValueError):
        return UNKNOWN
    if _stamp(status) != before:
        return UNKNOWN
    young = time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) < _RECENT
    return Fingerprint(content, "" if young else before)


def unchanged(path: str | os.PathLike[str], known: Fingerprint) -> bool:
    """Whether a file holds what it held; it is read only if its size or one of its times is another."""
    if not known.content:
        return False
    now = stamp(path)
    return bool(now) and (now == known.stamp or fingerprint(path, now).content == known.content)


def _digest(file: FileIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()[:_DIGITS]


def _stamp(status: os.stat_result) -> str:
    # Before opening: to open a named pipe waits for somebody to write.
    if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
        return ""
    # The time of change of the inode can't be set back by a program, the time of modification can.
    return f"{status.st_size:x}-{status.st_mtime_ns:x}-{status.st_ctime_ns:x}"
