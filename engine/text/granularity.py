"""Which question is asked next: from the whole scene to single objects."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from engine.records import Answer

_STUFF = frozenset(
    """air background beach bridge buildings bush bushes ceiling cloud clouds court crosswalk dirt fence
    field floor forest grass gravel ground hill hills house houses ice lake land leaves mountain mountains ocean
    pavement platform river road rock rocks roof sand scene sea sidewalk sky snow stone stones street track tree
    trees vegetation wall walls water wood""".split()
)
_LEADING = re.compile(
    r"^(?:(?:a|an|the|one|two|three|four|five|six|seven|eight|nine|ten|several|many|some|\d+)\s+)+", re.IGNORECASE
)
_SMALLEST = 0.002
"""A mask under this share of the photograph shows nothing to describe."""


@dataclass(frozen=True, slots=True)
class Child:
    """A fine-grained question to ask: about mask `seg` of the panoptic answer, named `label`."""

    label: str
    seg: int


def children(answer: Answer, areas: Sequence[float], limit: int) -> list[Child]:
    """The phrases of a panoptic answer that deserve a fine-grained question.

    A phrase does if it names a person or an object (not stuff such as sky or road) and its first mask is not tiny;
    larger ones come first; a name is asked about once.

    Args:
        answer: the panoptic answer.
        areas: share of the photograph of each mask.
        limit: at most so many.
    """
    found: dict[str, Child] = {}
    for phrase in sorted((p for p in answer.phrases if p.segs), key=lambda p: -areas[p.segs[0]]):
        name = bare_name(phrase.text)
        if not name or _STUFF & set(name.lower().split()) or areas[phrase.segs[0]] < _SMALLEST:
            continue
        found.setdefault(name.lower(), Child(f"the {name}", phrase.segs[0]))
    return list(found.values())[:limit]


def bare_name(phrase: str) -> str:
    """A phrase without articles and counts: "Two brown dogs" is "brown dogs"."""
    name = _LEADING.sub("", phrase.strip())
    return name[:1].lower() + name[1:] if not name[:2].isupper() else name
