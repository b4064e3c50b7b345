"""Ids as people have them: numbers on one side and text on the other, `7.0` where pandas has passed, given twice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

from engine.json_file import whole

_T = TypeVar("_T")

Id = int | str

_NUMBER = re.compile(r"\s*(-?)0*([0-9]+)(?:\.0*)?\s*")


def identity(value: Any) -> Id | None:
    """The id that a value is; None if it is none."""
    return value if isinstance(value, str) and value else whole(value)


class ById(Generic[_T]):
    """Entries by their ids, in order.

    Args:
        entries: ids and what they stand for. What an id stands for that comes twice is not known, so it is nothing.
    """

    def __init__(self, entries: Iterable[tuple[Id, _T]]) -> None:
        self._entries: dict[Id, _T] = {}
        twice = set()
        for key, entry in entries:
            if key in self._entries:
                twice.add(key)
            self._entries[key] = entry
        for key in twice:
            del self._entries[key]
        # Built once a look-up fails, which it does in few files.
        self._alike: dict[str, Id | None] | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[_T]:
        return iter(self._entries.values())

    def get(self, value: Any) -> _T | None:
        """The entry of an id: as it is written, or else as the same number written otherwise (`"007"`, `7`, `7.0`)."""
        key = identity(value)
        if key is None:
            return None
        if key not in self._entries:
            key = self._written_otherwise(key)
        return None if key is None else self._entries.get(key)

    def _written_otherwise(self, key: Id) -> Id | None:
        if self._alike is None:
            self._alike = {}
            for known in self._entries:
                alike = _alike(known)
                self._alike[alike] = None if alike in self._alike else known
        return self._alike.get(_alike(key))


def _alike(key: Id) -> str:
    number = _NUMBER.fullmatch(str(key))
    return "".join(number.groups()) if number else str(key)
