"""Words for what is measured in a scene, which several kinds of photographs share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trainer.data.compose.conversation import listed_text
from trainer.data.compose.nouns import BODY, CARRIED, indefinite

if TYPE_CHECKING:
    from trainer.data.compose.view import View


def largest_members(view: View, label: str, limit: int) -> tuple[np.ndarray, ...]:
    """At most `limit` of the label's masks, the largest ones, left to right."""
    members = view.members(label)
    kept = set(sorted(range(len(members)), key=lambda i: -np.count_nonzero(members[i]))[:limit])
    return tuple(mask for number, mask in enumerate(members) if number in kept)


def spread(mask: np.ndarray) -> str:
    """Where a class-level mask lies: at one side, or over the whole width."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    height, width = mask.shape
    middle = float(mask.sum(axis=1) @ np.arange(height)) / float(max(1, np.count_nonzero(mask)) * height)
    level = "at the top" if middle < 0.4 else "at the bottom" if middle > 0.6 else "in the middle"
    if not len(rows) or columns[-1] - columns[0] > 0.5 * width:
        return level
    centre = (columns[0] + columns[-1]) / 2 / width
    return "on the left" if centre < 0.37 else "on the right" if centre > 0.63 else level


def worn_text(view: View) -> str:
    """What the person wears, as text: at most the four largest, from the head down."""
    worn = [label for label in view.labels if label not in BODY | CARRIED]
    largest = set(sorted(worn, key=view.share, reverse=True)[:4])
    return listed_text(indefinite(label, view.colour(label)) for label in worn if label in largest)
