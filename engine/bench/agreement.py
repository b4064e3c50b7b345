"""Whether two ways of running a model gave the same answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from engine.masks import rle
from engine.records import PhotoRecord, SegCap


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a comparison of records found.

    Attributes:
        texts: answers compared; one that only one side gave counts.
        same_texts: of them, to the same question and equal to the letter.
        masks: pairs of masks compared, those of equal texts.
        mask_agreement: the smallest share of equal pixels in a pair; None without pairs.
    """

    texts: int
    same_texts: int
    masks: int
    mask_agreement: float | None

    @property
    def same_text(self) -> bool:
        """Whether all answers are equal."""
        return self.same_texts == self.texts


def compare(pairs: Iterable[tuple[PhotoRecord, PhotoRecord]]) -> Agreement:
    """Compare two records each of the same photographs."""
    texts = same = 0
    shares: list[float] = []
    for mine, theirs in pairs:
        for one, other in zip_longest(mine.segcaps, theirs.segcaps):
            texts += 1
            if _same_text(one, other):
                same += 1
                shares += [
                    float(np.mean(rle.decode(a.rle) == rle.decode(b.rle)))
                    for a, b in zip(one.masks, other.masks, strict=True)
                ]
    return Agreement(texts, same, len(shares), min(shares, default=None))


def _same_text(one: SegCap | None, other: SegCap | None) -> bool:
    if one is None or other is None:
        return False
    return one.instruction == other.instruction and one.answer.raw == other.answer.raw
