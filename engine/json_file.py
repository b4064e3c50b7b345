"""JSON that others have written: every fault of a file is one line that names it."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from engine.errors import UsageError


def read_json(path: Path, *, encoding: str = "utf-8") -> Any:
    """The content of a JSON file, with or without a byte order mark.

    Args:
        path: of the file; a pipe is read to its end.
        encoding: of a file that is not UTF-8, nor UTF-16 or UTF-32.

    Raises:
        UsageError: if it is missing, can't be read or is not JSON.
    """
    content = read_bytes(path)
    try:
        return parse_json(content, encoding=encoding)
    except ValueError as error:
        raise UsageError(f"{path}: not JSON: {error}") from None


def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises:
        UsageError: if it is missing, can't be read or is a device, which may have no end.
    """
    try:
        kind = path.stat().st_mode
        if stat.S_ISREG(kind) or stat.S_ISFIFO(kind):
            return path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except OSError as error:
        raise UsageError(f"{path}: can't be read ({error.strerror})") from None
    except ValueError:  # a name with a NUL, or of characters that no name can have
        raise UsageError(f"{str(path)!r}: can't be the name of a file") from None
    raise UsageError(f"{path}: {'a folder' if stat.S_ISDIR(kind) else 'a device'}, not a file")


def parse_json(content: bytes, *, encoding: str = "utf-8") -> Any:
    """What JSON says.

    NaN and infinite numbers pass, as Python and pandas write them; who takes a number looks what it is.

    Args:
        content: the text, with or without a byte order mark.
        encoding: of a text that is not UTF-8, nor UTF-16 or UTF-32.

    Raises:
        ValueError: if it is not JSON; says why in one line.
    """
    if not content.strip():
        raise ValueError("it is empty")
    try:
        try:
            return json.loads(content)
        except UnicodeDecodeError:
            return json.loads(content.decode(encoding))
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not {error.encoding}") from None
    except RecursionError:
        raise ValueError("it is nested too deep") from None
