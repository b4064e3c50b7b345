"""The `.js` files of the page: each calls one function with one value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.journal import dump

FUNCTION = "mglmm"
"""What the page calls the function that takes a shard: its kind, its number and its value."""


class Shards:
    """Values of one kind, so many to a file; a file is written when it is full.

    Args:
        folder: gets `<kind>-<number>.js`.
        kind: what they are.
        size: values to a file.
    """

    def __init__(self, folder: Path, kind: str, size: int) -> None:
        self._folder, self._kind, self._size = folder, kind, size
        self._waiting: list[Any] = []
        self.count = 0

    def add(self, value: Any) -> None:
        """Add a value, JSON values only."""
        self._waiting.append(value)
        if len(self._waiting) == self._size:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self._waiting:
            write_shard(self._folder, self._kind, self.count, self._waiting)
            self.count += 1
            self._waiting = []


def write_shard(folder: Path, kind: str, number: int, value: Any) -> None:
    """Write one file.

    It is ASCII, so that it reads the same in whatever encoding, and no key in it comes from a text: `__proto__` would
    mean something to a script.
    """
    path = folder / f"{kind}-{number}.js"
    path.write_bytes(b'%b("%b",%d,%b);\n' % (FUNCTION.encode(), kind.encode(), number, dump(value)))
