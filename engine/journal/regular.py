"""Regular files only: what else has a file's name, a link or a named pipe say, is neither followed nor waited for."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from engine.errors import UsageError

# Systems that lack them have neither such pipes nor such links.
_SAFE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def open_regular(path: str | Path, flags: int = os.O_RDONLY) -> int:
    """Open a file, which the caller closes; what is not one is left untouched.

    Args:
        path: of the file.
        flags: of `os.open`; none that empties the file.

    Returns:
        its descriptor.

    Raises:
        UsageError: if something else is there.
        OSError: as `os.open`.
    """
    require_regular(path)
    try:
        descriptor = os.open(path, flags | _SAFE, 0o666)
    except OSError:
        require_regular(path)  # put there in between
        raise
    kind = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(kind):
        os.close(descriptor)
        raise _refusal(path, kind)
    return descriptor


def require_regular(path: str | Path) -> None:
    """Refuse a name that something else than a file has; there may be nothing.

    Raises:
        UsageError: saying what it is.
    """
    try:
        kind = os.lstat(path).st_mode
    except OSError:
        return
    if not stat.S_ISREG(kind):
        raise _refusal(path, kind)


def _refusal(path: str | Path, kind: int) -> UsageError:
    what = "a link" if stat.S_ISLNK(kind) else "a folder" if stat.S_ISDIR(kind) else "a pipe, a device or the like"
    return UsageError(f"{path} is {what}, not a file: take it away, or choose another folder")
