"""Regular files only: what else has a file's name, a named pipe say, is neither waited for nor read without end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from engine.errors import UsageError

# Systems that lack them have neither such pipes nor such links.
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_EXACT = getattr(os, "O_BINARY", 0)


def open_regular(path: str | Path, flags: int = os.O_RDONLY, *, through_link: bool = False) -> int:
    """Open a file, which the caller closes; what is not one is left untouched.

    Args:
        path: of the file.
        flags: of `os.open`; none that empties the file.
        through_link: take a file that a link leads to.

    Returns:
        its descriptor.

    Raises:
        UsageError: if something else is there.
        OSError: as `os.open`.
    """
    if not through_link and os.path.islink(path):
        raise UsageError(f"{path} is a link, not a file: take it away, or choose another folder")
    try:
        descriptor = os.open(path, flags | _NO_WAIT | _EXACT | (0 if through_link else _NO_LINK), 0o666)
    except (IsADirectoryError, PermissionError) as error:
        if os.path.isdir(path):
            raise _refusal(path) from error
        raise
    except OSError as error:
        # A pipe that nobody reads can't be opened to write without waiting.
        if os.path.exists(path) and not os.path.isfile(path):
            raise _refusal(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _refusal(path)
    return descriptor


def _refusal(path: str | Path) -> UsageError:
    kind = "a folder" if os.path.isdir(path) else "a pipe, a device or the like"
    return UsageError(f"{path} is {kind}, not a file: take it away, or choose another folder")
