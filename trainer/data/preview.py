"""A training record in the form in which answers of a model are looked at."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engine.masks.rle import area, bbox, encode
from engine.records import RLE, Mask, PhotoRecord, SegCap
from engine.text.grammar import parse
from trainer.data.record import Record


def photo_record(record: Record) -> PhotoRecord:
    """The record as if a model had answered its questions; a mask that is not known is empty."""
    empty = encode(np.zeros((1, record.height, record.width), bool))[0]
    masks = (_mask(rle or empty) for rle in record.masks)
    return PhotoRecord(record.image, record.width, record.height, tuple(_segcaps(record, masks)))


def _segcaps(record: Record, masks: Iterator[Mask]) -> Iterator[SegCap]:
    for turn in record.turns:
        answer = parse(turn.answer)
        yield SegCap("custom", turn.question, answer, tuple(next(masks) for _ in range(answer.seg_count)))


def _mask(rle: RLE) -> Mask:
    return Mask(rle, area(rle), bbox(rle), 1.0)
