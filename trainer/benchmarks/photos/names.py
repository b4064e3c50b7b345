"""Which names are right for an annotated class: the class itself, and the words of `synonyms.txt`.

A phrase names what its head names: the last words of its first noun phrase, as many as make a known name. So a hot dog
is no dog, a picture of a cat no cat, and a cocker spaniel a dog.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Self

from trainer.data.compose.nouns import noun

ANY = "any"
"""The section that holds for every set."""
PERSONS = frozenset({"person", "pedestrian", "bicyclist"})
"""Classes of people."""

_FILE = "synonyms.txt"
_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
_ARTICLES = frozenset("a an the this that his her their its one two three four several some".split())
_STOPS = frozenset(
    "with in on at from by for near over under into onto behind beside between above below around through across who "
    "that which whose where while is are was were has have wearing holding carrying riding sitting standing".split()
)
"""What follows one of these says more about what was named."""
_AMOUNTS = frozenset(
    "group couple crowd bunch pair herd flock number row lot lots slice slices piece pieces part parts kind type half "
    "rest all some several one two three four pack team line stack pile groups pairs bunches rows".split()
)
"""In front of `of`: what is named comes behind."""
_IRREGULAR = {
    "man": "men", "woman": "women", "child": "children", "person": "people", "gentleman": "gentlemen",
    "policeman": "policemen", "policewoman": "policewomen", "fireman": "firemen", "fisherman": "fishermen",
    "goose": "geese", "mouse": "mice", "knife": "knives", "calf": "calves", "scarf": "scarves", "sheep": "sheep",
    "ox": "oxen",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Names:
    """The right names for the classes of one set.

    Attributes:
        right: class -> its names, in lower case, plurals included.
        known: every name of any class of any set.
    """

    right: Mapping[str, frozenset[str]]
    known: frozenset[str]

    @classmethod
    def of(cls, dataset: str, classes: Collection[str]) -> Self:
        """Those of a set.

        Args:
            dataset: its name.
            classes: all that it has.
        """
        sections = read_synonyms()
        own = {label: _forms((label, noun(label).singular, noun(label).plural)) for label in classes}
        right = {}
        for label in classes:
            others = frozenset[str]().union(*(names for other, names in own.items() if other != label))
            words = (*sections[ANY].get(label, ()), *sections.get(dataset, {}).get(label, ()))
            right[label] = own[label] | (_forms(words) - others)
        return cls(right, _all_names().union(*own.values()))

    def is_right(self, phrase: str, label: str) -> bool:
        """Whether a phrase of an answer names one of the classes."""
        name = self._head(_words(phrase))
        return bool(name) and name in self.right[label]

    def _head(self, words: Sequence[str]) -> str:
        """The longest known name that the head of a phrase ends with; empty if there is none."""
        for start, word in enumerate(words):
            # "Glass of wine" is a name as it is; what stands behind another "of" is no head.
            if word == "of" or _ends(words, start):
                break
            if (name := " ".join(words[start:])) in self.known:
                return name
        end = next((at for at in range(1, len(words)) if _ends(words, at)), None)
        if end is not None:
            return self._head(words[:end])
        if "of" not in words:
            return ""
        at = words.index("of")
        return self._head(words[at + 1 :] if at and words[at - 1] in _AMOUNTS else words[:at])


@cache
def read_synonyms() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Set, or `ANY` -> class -> other words for it, as they stand in the file."""
    sections: dict[str, dict[str, tuple[str, ...]]] = {}
    text = files(__package__).joinpath(_FILE).read_text("utf-8").replace("\n ", " ")
    for line in text.splitlines():
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            classes, words = (tuple(word.strip() for word in part.split(",")) for part in line.split(":"))
            section |= {label: (*classes, *words) for label in classes}
    return sections


@cache
def _all_names() -> frozenset[str]:
    lines = (line for section in read_synonyms().values() for line in section.items())
    return frozenset[str]().union(*(_forms((label, *words)) for label, words in lines))


def _words(text: str) -> list[str]:
    return [word.group().replace("’", "'") for word in _WORD.finditer(text.lower())]


def _ends(words: Sequence[str], at: int) -> bool:
    """Whether the first noun phrase is over at a word."""
    # "A man and a woman" are two; "a black and white cat" is one.
    return words[at] in _STOPS or (words[at] == "and" and not _ARTICLES.isdisjoint(words[at + 1 : at + 2]))


def _forms(names: Iterable[str]) -> frozenset[str]:
    """Names in the singular and the plural; some of what comes out is no word, and harms nobody."""
    found = set()
    for name in names:
        words = _words(name)
        found.add(" ".join(words))
        # A glass of wine, glasses of wine.
        head = next((at for at, word in enumerate(words) if at and (word in _STOPS or word == "of")), len(words)) - 1
        found |= {" ".join([*words[:head], form, *words[head + 1 :]]) for form in _numbers(words[head])}
    return frozenset(found)


def _numbers(word: str) -> tuple[str, ...]:
    if word in _IRREGULAR:
        return (_IRREGULAR[word],)
    if word.endswith("y") and word[-2:-1] not in tuple("aeiou"):
        return (word[:-1] + "ies",)
    if word.endswith("s") and not word.endswith("ss"):
        return word[:-1], word + "es"
    return (word + ("es" if word.endswith(("s", "x", "ch", "sh")) else "s"),)
