"""A photograph's answers with the masks that are labels, for what draws them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from engine.journal import to_json
from engine.masks import rle as run_lengths
from engine.records import Mask, PhotoRecord, SegCap
from exporters.categories import category_name
from exporters.labels.filters import Filters
from exporters.labels.select import select


def labelled(
    record: PhotoRecord, filters: Filters, category: Callable[[str], str | None] = category_name
) -> PhotoRecord:
    """The same answers with masks as `segcap.json` has them.

    Args:
        record: as the model answered.
        filters: which masks are labels.
        category: of a phrase.

    Returns:
        Each mask is the label that stands for it, so that phrases of one thing have equal masks; it has no pixel if it
        is no label. A group that is split is whole: its parts have one phrase.
    """
    # What is split covers the same pixels.
    unsplit = replace(filters, groups="keep") if filters.groups == "split" else filters
    selected = select(to_json(record), unsplit, category)
    masks = {label.place: Mask(label.rle, label.area, label.bbox, label.score) for label in selected.labels}
    nothing = run_lengths.from_changes(np.empty(0, np.int64), record.height, record.width)
    empty = Mask(nothing, 0, (0.0, 0.0, 0.0, 0.0), 0.0)

    def of(answer: int, segcap: SegCap) -> SegCap:
        places = (selected.instead.get((answer, seg)) for seg in range(len(segcap.masks)))
        return replace(segcap, masks=tuple(masks[place] if place else empty for place in places))

    return replace(record, segcaps=tuple(of(answer, segcap) for answer, segcap in enumerate(record.segcaps)))
