"""Ids of annotations and captions: from the number of their photograph and their place in its record.

    annotation  7 0012 00    of photograph 7 the 12th mask of all its answers; 01 to 99 are the parts of a split group
    caption     7 000002     of photograph 7 the second answer

Masks that are no labels keep their place, so whatever is left out or split, the ids of what stays are the same; and
they are the same wherever the photograph has its number. All are below 2**53 (see `engine.journal.numbers`).
"""

from __future__ import annotations

ROOM = 1_000_000
"""Ids to a photograph."""
PARTS = 100
"""Of them, those to a mask."""
MASKS = ROOM // PARTS - 1
"""Masks of a photograph that have ids."""


def annotation_id(photograph: int, mask: int, part: int = 0) -> int:
    """Args: the photograph's number; which mask of its record, from 0, below `MASKS`; which part of it."""
    return photograph * ROOM + (mask + 1) * PARTS + part


def caption_id(photograph: int, answer: int) -> int:
    """Args: the photograph's number; which answer of its record, from 0."""
    return photograph * ROOM + answer + 1
