"""JSON that others have written: every fault of a file is one line that names it."""

from __future__ import annotations

import json
import math
import stat
from pathlib import Path
from typing import Any

from engine.errors import UsageError

_OTHERS = {
    b"\x1f\x8b": "packed with gzip: unpack it first",
    b"PK\x03\x04": "a zip archive: unpack it first",
    b"version https://git-lfs": "the pointer of Git LFS to a file: fetch that with 'git lfs pull'",
}
"""How files begin that are often given where JSON is meant."""


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

    NaN and infinite numbers pass, as Python and pandas write them; who takes a number looks what it is. Of a key that
    stands twice in one object nobody knows which value is meant, unless both are the same.

    Args:
        content: the text, with or without a byte order mark.
        encoding: of a text that is not UTF-8, nor UTF-16 or UTF-32.

    Raises:
        ValueError: if it is not JSON; says why in one line.
    """
    if not content.strip():
        raise ValueError("it is empty")
    for beginning, what in _OTHERS.items():
        if content.startswith(beginning):
            raise ValueError(f"it is {what}")
    try:
        try:
            return json.loads(content, object_pairs_hook=_object)
        except UnicodeDecodeError:
            if encoding == "utf-8":
                raise
            return json.loads(content.decode(encoding), object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"byte {error.start} (line {line}) is not {error.encoding}: save it as UTF-8") from None
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def whole(value: Any) -> int | None:
    """The whole number that a value of JSON is, also where pandas has made it `1.0`; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if isinstance(value, int) or math.isfinite(value) and value == math.floor(value) else None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        for key, value in pairs:
            # A NaN is not even equal to itself.
            if found[key] is not value and found[key] != value:
                raise ValueError(f"the key {key[:50]!r} stands twice in one object, with different values")
    return found
