"""Captions whose phrases are given as ranges of characters."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from engine.records import RLE
from trainer.data.formats.asking import Target, left_to_right
from trainer.data.formats.base import Skipped


@dataclass(frozen=True, slots=True)
class Grounding:
    """Characters `start` to `end` of a caption, and the mask of something that they name."""

    start: int
    end: int
    mask: RLE


def parts_of(caption: str, groundings: Iterable[Grounding], where: str, skipped: Skipped) -> list[str | Target]:
    """A caption cut into text and phrases.

    Equal ranges are one phrase with several targets. Where ranges overlap, the earlier ends where the later begins.

    Args:
        groundings: in any order.
        where, skipped: of the caption; gets the phrases of which no character is left.
    """
    masks: dict[tuple[int, int], list[RLE]] = {}
    for one in groundings:
        masks.setdefault((one.start, one.end), []).append(one.mask)
    parts: list[str | Target] = []
    at = 0
    for (start, end), (following, _) in pairwise([*sorted(masks), (len(caption), 0)]):
        phrase = caption[start : min(end, following)]
        if phrase.strip():
            parts += [caption[at:start], Target(phrase, left_to_right(masks[start, end]))]
            at = start + len(phrase)
        else:
            skipped.add(where, "a phrase that begins another")
    return [*parts, caption[at:]]


def place(caption: str, phrase: str, span: Any) -> tuple[int, int]:
    """Where a phrase stands in a caption as words of its own.

    Args:
        span: `[start, end]` as stored, tried first; anything else where it is not known.

    Raises:
        ValueError: if it is not in the caption.
    """
    if not phrase.strip():
        raise ValueError("a phrase without words")
    words = re.compile(rf"(?<!\w){re.escape(phrase.strip())}(?!\w)", re.IGNORECASE)
    known = isinstance(span, list) and span and isinstance(span[0], int) and 0 <= span[0] <= len(caption)
    found = words.match(caption, span[0]) if known else None
    found = found or words.search(caption)
    if found is None:
        raise ValueError("a phrase that is not in its caption")
    return found.span()
