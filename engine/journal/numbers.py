"""The numbers of photographs: given once, never to another, so that what is named after them stays.

A photograph gets its number when it is first listed, before a model sees it. Where a list has an id for it that is such
a number, that one is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.errors import MglmmError

LARGEST = 9_000_000_000
"""A million times that, for what is named after numbers, is below 2**53: every reader has such whole numbers."""


def is_number(value: object) -> bool:
    """Whether an id can be the number of a photograph."""
    return type(value) is int and 0 <= value <= LARGEST


class Numbers:
    """Gives numbers.

    Args:
        largest: up to here they are taken, or kept for ids of a list.
    """

    def __init__(self, largest: int) -> None:
        self._largest = largest

    def give(self, image: Mapping[str, Any] | None = None) -> int:
        """A number.

        Args:
            image: what a list says of the photograph; its `id` is taken if it can be. That it is no other photograph's
                the caller has made sure.

        Raises:
            MglmmError: if there is none left.
        """
        if image is not None and is_number(number := image["id"]):
            self._largest = max(self._largest, number)
            return int(number)
        if self._largest >= LARGEST:
            raise MglmmError(f"no ids are left above {self._largest}: give these photographs a folder of their own")
        self._largest += 1
        return self._largest
