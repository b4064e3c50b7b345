"""What a label is called: a category of the user's vocabulary, or the head of its phrase."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from exporters.categories import category_ids, category_name
from exporters.labels.vocabulary import Category, Vocabulary

Unmapped = Literal["drop", "keep", "fail"]
_PHRASES = 1 << 16  # whose category is remembered


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which categories there are.

    Attributes:
        vocabulary: a list of them; without one each phrase names its own.
        unmapped: what becomes of a mask whose phrase means none of the list: it is left out, keeps a category of its
            own behind those, or nothing is written.
    """

    vocabulary: Vocabulary | None = None
    unmapped: Unmapped = "drop"

    @property
    def about(self) -> dict[str, Any]:
        """What outputs say of it."""
        if self.vocabulary is None:
            return {}
        about = {"file": self.vocabulary.source, "sha256": self.vocabulary.sha256, "unmapped": self.unmapped}
        return {"categories": about | ({"text_model": True} if self.vocabulary.encoder else {})}


class Naming:
    """Phrases to categories; what was found is remembered.

    Args:
        wanted: which there are.
    """

    def __init__(self, wanted: Wanted | None = None) -> None:
        self.wanted = wanted or Wanted()
        self._listed = self.wanted.vocabulary.categories if self.wanted.vocabulary else ()
        self._found = lru_cache(_PHRASES)(self._find)

    def __call__(self, phrase: str) -> str | None:
        """The name of a phrase's category; None if a mask with this phrase is no label."""
        name, _ = self._found(phrase)
        return name

    def is_mapped(self, phrase: str) -> bool:
        """Whether it is of the vocabulary, or there is none."""
        _, mapped = self._found(phrase)
        return mapped

    def categories(self, names: Iterable[str]) -> list[Category]:
        """All categories in the order of their ids: those of the vocabulary, then those of other names.

        Without a vocabulary they are numbered from 1 by their names alone.
        """
        known = {category.name for category in self._listed}
        above = max((category.id for category in self._listed), default=0)
        others = category_ids(name for name in names if name not in known)
        listed = sorted(self._listed, key=lambda category: category.id)
        return [*listed, *(Category(max(0, above) + number, name) for name, number in others.items())]

    def _find(self, phrase: str) -> tuple[str | None, bool]:
        vocabulary = self.wanted.vocabulary
        if vocabulary is None:
            return category_name(phrase), True
        if (category := vocabulary.find(phrase)) is not None:
            return category.name, True
        return (None if self.wanted.unmapped == "drop" else category_name(phrase)), False
