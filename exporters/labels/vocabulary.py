"""The categories that a user wants, and which of them a phrase means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from exporters.categories import category_name, noun_phrase
from exporters.nouns import singular

_ARTICLES = frozenset(("a", "an", "the"))
LIKE = 0.6
"""From this cosine on two texts mean the same.

Measured with all-MiniLM-L6-v2 on the 20 classes of VOC: of 23 other words for them (sofa, plane, kitten) 18 find theirs
and none another's, and of 68 names of other things two are taken for one (a truck for a car, a hot dog for a dog).
"""


class Encoder(Protocol):
    """A text model."""

    def encode(self, texts: Sequence[str]) -> Any:
        """Vectors of length 1, `(N, D)`."""
        ...


@dataclass(frozen=True, slots=True)
class Category:
    """A category; `supercategory` is empty where none is named."""

    id: int
    name: str
    supercategory: str = ""

    @property
    def entry(self) -> dict[str, Any]:
        """As COCO has it."""
        entry = {"id": self.id, "name": self.name}
        return entry | ({"supercategory": self.supercategory} if self.supercategory else {})


@dataclass(frozen=True)
class Vocabulary:
    """A list of categories.

    A phrase is looked for in this order: as a whole (but for its article); by its last words, the most of them first,
    as they stand and in the singular, so that "two red traffic lights at night" is a traffic light; by a text
    model, where there is one, that reads the head of the phrase.

    Attributes:
        source: the file that it is from.
        sha256: of that.
        categories: in the file's order; no two have one name or one id.
        synonyms: other phrases, and the names that they stand for.
        encoder: a text model.
    """

    source: str
    sha256: str
    categories: tuple[Category, ...]
    synonyms: Mapping[str, str] = field(default_factory=dict)
    encoder: Encoder | None = None

    def find(self, phrase: str) -> Category | None:
        """The category that a phrase means; None if it is none of these."""
        for words in _readings(phrase):
            if words in self._by_words:
                return self._by_words[words]
        return self._nearest(phrase)

    @cached_property
    def _by_words(self) -> dict[str, Category]:
        """Names before synonyms, both before what they are in the singular."""
        by_name = {category.name: category for category in self.categories}
        told = {**by_name, **{phrase: by_name[name] for phrase, name in self.synonyms.items()}}
        found: dict[str, Category] = {}
        for change in (_plain, lambda words: singular(_plain(words))):
            for words, category in told.items():
                found.setdefault(change(words), category)
        return found

    @cached_property
    def _vectors(self) -> Any:
        assert self.encoder is not None  # who asks has looked
        return self.encoder.encode([category.name for category in self.categories])

    def _nearest(self, phrase: str) -> Category | None:
        if self.encoder is None or not phrase.strip():
            return None
        cosines = self._vectors @ self.encoder.encode([category_name(phrase)])[0]
        best = int(cosines.argmax())
        return self.categories[best] if cosines[best] >= LIKE else None


def _plain(phrase: str) -> str:
    """In lower case, single spaces, no article in front, no full stop behind."""
    words = phrase.lower().replace("_", " ").rstrip(" .").split()
    while len(words) > 1 and words[0] in _ARTICLES:
        del words[0]
    return " ".join(words)


def _readings(phrase: str) -> Iterator[str]:
    """What of a phrase may be the name, the most likely first."""
    whole = _plain(phrase)
    yield whole
    yield singular(whole)
    words = noun_phrase(phrase)
    for start in range(len(words)):
        name = " ".join(words[start:])
        yield name
        yield singular(name)
