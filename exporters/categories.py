"""An open vocabulary has no class list: the category of a mask is the head of its phrase, in the singular.

The rules are those of an English noun phrase: what stands in front of the noun (article, number, colour,
size) goes, and so does what hangs behind it (preposition, participle, relative clause). A phrase in another
language comes through in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from exporters.nouns import singular

FALLBACK = "object"
"""The category of a mask that has no phrase."""

_LONGEST = 3  # words; the noun is at the end of them
_WORD = re.compile(r"[^\W_](?:[\w'’.-]*[^\W_])?|,")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_IN_FRONT = _words(
    # articles, pronouns, quantities
    "a an the this that these those his her its their my our your some any all both each every either another "
    "other several many few more most much no one two three four five six seven eight nine ten eleven twelve "
    "dozen first second third last single multiple various different and of on in at to "
    # colours
    "red orange yellow green blue purple pink brown black white gray grey beige tan golden gold silver cream "
    "teal turquoise maroon navy violet olive khaki colorful colourful multicolored dark light bright pale "
    # sizes, ages, places, looks
    "big small large little tiny huge tall short long wide narrow thick thin giant young old new older younger "
    "elderly left right top bottom upper lower middle front rear very leftmost rightmost nearest visible partial"
)
_QUANTITIES = _words("some any all both each either several many few more most much one two three dozen another")
_NO_NOUN = _words("a an the this that these those his her its their my our your it them him me us and or of")
_PARTITIVES = _words(
    "couple lot lots number pair pairs group groups bunch plenty piece pieces row rows pile stack set kind type "
    "part parts variety collection cluster crowd rest edge"
)
_BEHIND = _words(
    "about above across after against along alongside amid among amongst around as at away before behind below "
    "beneath beside besides between beyond by down during facing for from in inside into like near next of off on "
    "onto opposite out outside over past through throughout to toward towards under underneath up upon via while "
    "with within without "
    "and or but that which who whom whose where when is are was were has have , "
    "worn held seen made"
)
# Nouns that only look like participles.
_NOUNS = _words(
    "bed building buildings ceiling clothing crossing crossings covering dining earring "
    "earrings evening feed flooring hundred king landing lighting lightning living morning painting paintings "
    "parking pudding railing railings reed ring rings seating seed shed siding sled spring string swing thing "
    "things weed wedding wing wings awning bedding bunting carving drawing dressing dumpling duckling fencing "
    "frosting icing opening paneling paving plumbing roofing sapling scaffolding sibling stocking "
    "stockings stuffing topping toppings underclothing vending writing"
)


def category_name(phrase: str) -> str:
    """The category of a phrase: lower case, one to three words, never empty.

    >>> category_name("The man riding a bike")
    'man'
    >>> category_name("two red apples")
    'apple'
    """
    return singular(head(phrase))


def head(phrase: str) -> str:
    """The head of a phrase as it stands there: lower case, one to three words, never empty."""
    words = _without_front(_words_of(phrase))
    found = words[: _end_of_head(words)]
    owners = [at for at, word in enumerate(found[:-1], start=1) if word.endswith(("'s", "’s"))]
    if owners:
        found = _without_front(found[owners[-1] :])
    if not found or found[-1] in _NO_NOUN:
        return FALLBACK
    return " ".join(found[-_LONGEST:])


def noun_phrase(phrase: str) -> list[str]:
    """The words of a phrase up to the end of its head, in lower case: what stands behind tells more about them.

    >>> noun_phrase("The red front left door of a car")
    ['the', 'red', 'front', 'left', 'door']
    """
    words = _words_of(phrase)
    rest = _without_front(words)
    return words[: len(words) - len(rest) + _end_of_head(rest)]


def category_ids(names: Iterable[str]) -> dict[str, int]:
    """The ids of categories, from 1 in the order of their names, as code points have it.

    They depend on nothing but which names there are: not on the order in which photographs came, nor on the run.
    """
    return {name: number for number, name in enumerate(sorted(set(names)), start=1)}


def _words_of(phrase: str) -> list[str]:
    words = _WORD.findall(phrase.lower())
    while words and words[0] == ",":
        del words[0]
    return words


def _without_front(words: list[str]) -> list[str]:
    """Without leading modifiers, but never without a noun: "an orange" is a fruit."""
    start = 0
    while start < len(words):
        rest = words[start:]
        if len(rest) > 2 and rest[0] in _PARTITIVES and rest[1] == "of":
            start += 2
        elif _modifies(rest):
            start += 1
        else:
            break
    return words[start:]


def _modifies(rest: list[str]) -> bool:
    """Whether the first word only tells more about a later one."""
    word, behind = rest[0], rest[1:]
    if word == "," or word.isdecimal():
        return bool(behind)
    if word not in _IN_FRONT or not behind:
        return False
    # "the top of the table": what is followed by a clause is the noun itself; "black and white" is not.
    joined = behind[0] in ("and", ",") and len(behind) > 1 and behind[1] in _IN_FRONT
    return joined or behind[0] not in _BEHIND or (behind[0] == "of" and len(behind) > 1 and word in _QUANTITIES)


def _end_of_head(words: list[str]) -> int:
    for at, word in enumerate(words):
        if at and (word in _BEHIND or _is_participle(word)):
            return at
    return len(words)


def _is_participle(word: str) -> bool:
    return len(word) > 4 and word.endswith(("ing", "ed")) and word not in _NOUNS and not word.endswith("eed")
