"""A JSON list of any length, written entry by entry."""

from __future__ import annotations

from typing import IO, Any

from engine.journal import dump


class JsonList:
    """Writes a list with an entry a line.

    Args:
        file: gets it, at once from the opening bracket on.
    """

    def __init__(self, file: IO[bytes] | Any) -> None:
        self._file = file
        self._before = b"[\n"

    def add(self, entry: Any) -> None:
        """Write an entry."""
        self._file.write(self._before + dump(entry))
        self._before = b",\n"

    def end(self) -> None:
        """Write the closing bracket."""
        self._file.write(b"[]" if self._before == b"[\n" else b"\n]")
