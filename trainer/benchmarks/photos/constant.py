"""A baseline that does not look: the most frequent phrases of the training answers, with their mean masks.

Phrases are grouped by their head (their last word); a head is part of the constant answer if more than half of the
training answers have it (at least the most frequent one is), in its most frequent wording. Its mask is the mean of
its training masks on a unit frame, above one half (or above half of its maximum, where nothing is).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from engine.masks import rle
from engine.records import RLE
from engine.text.grammar import parse
from trainer.data.compose import Conversation, reference_labels

_UNIT = 96


@dataclass(frozen=True, slots=True, eq=False)
class ConstantAnswer:
    """Attributes:
    caption: its text.
    phrases: one per mask.
    shares: `(_UNIT, _UNIT)` float each, the mean mask of each phrase on a unit frame.
    """

    caption: str
    phrases: tuple[str, ...]
    shares: tuple[np.ndarray, ...]

    def masks(self, height: int, width: int) -> tuple[RLE, ...]:
        """The masks in a frame of `height x width` pixels."""
        if not self.shares:
            return ()
        resized = [
            np.asarray(Image.fromarray(share).resize((width, height), Image.Resampling.BILINEAR))
            for share in self.shares
        ]
        return tuple(rle.encode(np.stack([share > min(0.5, float(share.max()) / 2) for share in resized])))


def most_frequent(references: Iterable[Conversation]) -> ConstantAnswer:
    """Fit the baseline to training references."""
    wordings: dict[str, Counter[str]] = defaultdict(Counter)
    sums: dict[str, np.ndarray] = {}
    answers: Counter[str] = Counter()
    captions: Counter[str] = Counter()
    total = 0
    for entry in references:
        total += 1
        captions[parse(entry.answer).caption] += 1
        heads = set()
        for phrase, mask in zip(reference_labels(entry), entry.known_masks, strict=True):
            head = phrase.lower().split()[-1]
            heads.add(head)
            wordings[head][phrase] += 1
            small = Image.fromarray(mask.astype(np.float32)).resize((_UNIT, _UNIT), Image.Resampling.BOX)
            sums[head] = sums.get(head, np.zeros((_UNIT, _UNIT), np.float32)) + np.asarray(small)
        answers.update(heads)
    chosen = [head for head, count in answers.most_common() if count > total / 2] or [
        head for head, _ in answers.most_common(1)
    ]
    return ConstantAnswer(
        caption=captions.most_common(1)[0][0],
        phrases=tuple(wordings[head].most_common(1)[0][0] for head in chosen),
        shares=tuple(sums[head] / wordings[head].total() for head in chosen),
    )
