"""Masks that say again what an earlier mask has said."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.records import RLE
from trainer.metrics.matching import iou_matrix

SAME = 0.8
"""Above this IoU two masks are of one thing."""


def count_duplicates(masks: Sequence[RLE]) -> int:
    """How many masks are the same as one before them; masks without a pixel are the same as none.

    Raises:
        ValueError: if they are not all of one size.
    """
    iou = iou_matrix(masks, masks, empty=0.0)
    return int(np.count_nonzero((np.tril(iou, -1) > SAME).any(axis=1)))
