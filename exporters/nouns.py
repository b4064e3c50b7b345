"""English nouns in the plural, and what one of them is called."""

from __future__ import annotations

from functools import cache
from typing import Any

_IRREGULAR = frozenset("people men women children mice geese feet teeth oxen policemen firemen cattle".split())
_ONE_THING = frozenset(
    "glasses sunglasses goggles eyeglasses spectacles jeans pants trousers shorts tights leggings stockings scissors "
    "pliers tongs binoculars headphones pajamas clothes overalls boxers briefs news series species stairs bus gas "
    "canvas atlas lens iris tennis chess always christmas headquarters skis".split()
)
"""They look like plurals, and name one thing."""
_DRINKING = frozenset("wine champagne drinking water beer shot cocktail martini juice milk".split())
"""Glasses of these are several."""
_SINGULAR_END = ("ss", "us", "is", "'s", "’s")


def is_one_thing(noun: str) -> bool:
    """Whether a noun looks like a plural, and names one thing: "glasses", "bus"."""
    return noun in _ONE_THING


def is_plural_noun(noun: str) -> bool:
    """Whether a noun stands in the plural.

    Args:
        noun: in lower case.
    """
    if is_one_thing(noun):
        return False
    return noun in _IRREGULAR or (len(noun) > 3 and noun.endswith("s") and not noun.endswith(_SINGULAR_END))


def singular(noun: str) -> str:
    """What one of several things is called; a noun that is no plural is left as it is.

    Args:
        noun: in lower case; of several words the last is changed.

    >>> singular("shelves"), singular("traffic lights"), singular("glasses"), singular("bus")
    ('shelf', 'traffic light', 'glasses', 'bus')
    """
    front, space, last = noun.rpartition(" ")
    if last == "glasses" and front.rpartition(" ")[2] in _DRINKING:
        return f"{front} glass"
    return f"{front}{space}{_rules().singular(last)}" if is_plural_noun(last) else noun


@cache
def _rules() -> Any:
    from pluralizer import Pluralizer

    rules = Pluralizer()
    rules.add_irregular_rule("lens", "lenses")
    return rules
