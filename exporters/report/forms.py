"""An entry as the page reads it: a row of the list, the whole of it, and the words to search in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from engine.errors import MglmmError
from engine.records import RLE, Answer, Failure, Mask, PhotoRecord, SegCap
from exporters.categories import category_name
from exporters.labels.numbering import MASKS, annotation_id
from exporters.report.entries import Entry
from exporters.report.pictures import LARGE, Frame, in_frame

REPEATED = 0.8
"""Above this IoU a mask says again what an earlier one of its answer said, as `mglmm eval` counts it."""

# What may be wrong with a photograph, or with a mask, as bits.
FAILED, TRUNCATED, UNSEEN = 1, 2, 4
EMPTY, AGAIN = 1, 2

_SCORES, _AREAS = 1000, 1_000_000
"""Scores and areas (as shares of the photograph) go as whole numbers of these parts; an unknown score is -1."""


@dataclass(slots=True)
class Categories:
    """Categories of all masks, numbered as they come."""

    numbers: dict[str, int] = field(default_factory=dict)

    def number(self, phrase: str) -> int:
        return self.numbers.setdefault(category_name(phrase), len(self.numbers))


@dataclass(frozen=True, slots=True)
class Looked:
    """An entry that has been looked at, where it takes time.

    Attributes:
        entry: which.
        whole: `H x W` of the photograph.
        frame: `h x w` of the page.
        masks: of each run and each of its answers, the masks in that frame.
        again: the same shape: whether a mask repeats one before it.
        unseen: why the photograph can't be shown; empty if it can.
    """

    entry: Entry
    whole: Frame
    frame: Frame
    masks: tuple[tuple[tuple[RLE, ...], ...], ...]
    again: tuple[tuple[tuple[bool, ...], ...], ...]
    unseen: str

    @property
    def records(self) -> Iterator[tuple[int, PhotoRecord]]:
        """The runs that answered, by their numbers."""
        return ((run, one) for run, one in enumerate(self.entry.outcomes) if isinstance(one, PhotoRecord))


def frame_of(entry: Entry) -> Frame | None:
    """`H x W` of a photograph, as the first run that answered says; None if none did."""
    records = (one for one in entry.outcomes if isinstance(one, PhotoRecord))
    return next((Frame(max(1, one.height), max(1, one.width)) for one in records), None)


def look(entry: Entry, unseen: str) -> Looked:
    """Bring the masks of an entry into the frame of the page, and find those that repeat others.

    Raises:
        MglmmError: if a mask is none.
    """
    whole = frame_of(entry) or Frame(1, 1)
    frame = whole.within(LARGE)
    masks = []
    for outcome in entry.outcomes:
        segcaps = outcome.segcaps if isinstance(outcome, PhotoRecord) else ()
        try:
            masks.append(tuple(tuple(in_frame(mask.rle, frame) for mask in segcap.masks) for segcap in segcaps))
        except ValueError as error:
            raise MglmmError(f"{entry.name}: the journal has {error}: run the command that made it again") from None
    again = tuple(tuple(_repeated(shown) for shown in answers) for answers in masks)
    return Looked(entry, whole, frame, tuple(masks), again, unseen)


def row(looked: Looked, categories: Categories) -> list[Any]:
    """A photograph in the list: name, width, height, bits, note, and six columns with a number for each mask."""
    entry = looked.entry
    bits = UNSEEN * bool(looked.unseen) | FAILED * any(isinstance(one, Failure) for one in entry.outcomes)
    columns: list[list[int]] = [[] for _ in range(6)]
    pixels = looked.whole.height * looked.whole.width
    for run, record in looked.records:
        for segcap, again in zip(record.segcaps, looked.again[run], strict=True):
            bits |= TRUNCATED * segcap.truncated
            for phrase in segcap.answer.phrases:
                for seg in phrase.segs:
                    mask = segcap.masks[seg]
                    numbers = (
                        run,
                        categories.number(phrase.text),
                        _parts(mask.score),
                        _parts(phrase.name_score),
                        round(mask.area * _AREAS / pixels),
                        EMPTY * (not mask.area) | AGAIN * again[seg],
                    )
                    for column, value in zip(columns, numbers, strict=True):
                        column.append(value)
    return [entry.name, looked.frame.width, looked.frame.height, bits, entry.note, *columns]


def words(looked: Looked) -> str:
    """What is searched: the name, captions and reasons."""
    lines = [looked.entry.name, looked.entry.note]
    for outcome in looked.entry.outcomes:
        if isinstance(outcome, Failure):
            lines.append(f"{outcome.stage}: {outcome.reason}")
        elif outcome is not None:
            lines += [segcap.answer.caption for segcap in outcome.segcaps]
    return "\n".join(filter(None, lines))


def everything(looked: Looked) -> dict[str, Any]:
    """All of an entry."""
    whole, frame, entry = looked.whole, looked.frame, looked.entry
    return {
        "full": [whole.width, whole.height],
        "frame": [frame.width, frame.height],
        "unseen": looked.unseen,
        "runs": [_outcome(looked, run, entry.number if run == 0 else None) for run in range(len(entry.outcomes))],
    }


def _outcome(looked: Looked, run: int, number: int | None) -> dict[str, Any] | None:
    outcome = looked.entry.outcomes[run]
    if outcome is None:
        return None
    if isinstance(outcome, Failure):
        return {"failure": [outcome.stage, outcome.reason]}
    answers = []
    before = 0
    for segcap, masks, again in zip(outcome.segcaps, looked.masks[run], looked.again[run], strict=True):
        last = min(before + len(segcap.masks), MASKS)
        ids = [] if number is None else [annotation_id(number, mask) for mask in range(before, last)]
        answers.append(_answer(segcap, masks, again, ids))
        before += len(segcap.masks)
    return {"answers": answers}


def _answer(segcap: SegCap, masks: Sequence[RLE], again: Sequence[bool], ids: Sequence[int]) -> dict[str, Any]:
    return {
        "granularity": segcap.granularity,
        "instruction": segcap.instruction,
        "truncated": segcap.truncated,
        "parent": segcap.parent and [segcap.parent.segcap, segcap.parent.seg],
        "pieces": list(_pieces(segcap.answer)),
        "phrases": [
            {"text": phrase.text, "segs": list(phrase.segs), "score": _rounded(phrase.name_score)}
            for phrase in segcap.answer.phrases
        ],
        "masks": [
            _mask(mask, shown, same, ids[seg] if seg < len(ids) else None)
            for seg, (mask, shown, same) in enumerate(zip(segcap.masks, masks, again, strict=True))
        ],
    }


def _mask(mask: Mask, shown: RLE, again: bool, annotation: int | None) -> dict[str, Any]:
    return {
        "counts": shown.counts,
        "area": mask.area,
        "score": _rounded(mask.score),
        "again": again,
        "id": annotation,
    }


def _pieces(answer: Answer) -> Iterator[list[Any]]:
    """The caption in pieces, each with the number of its phrase, or -1: a script counts characters in another way."""
    at = 0
    for number, phrase in enumerate(answer.phrases):
        start, end = max(at, phrase.span.start), max(at, phrase.span.end)
        if start > at:
            yield [answer.caption[at:start], -1]
        yield [answer.caption[start:end], number]
        at = end
    if at < len(answer.caption):
        yield [answer.caption[at:], -1]


def _repeated(masks: Sequence[RLE]) -> tuple[bool, ...]:
    coded = [mask.to_coco() for mask in masks]
    if not coded:
        return ()
    # Of two masks without a pixel it is 0.
    iou = np.tril(coco_mask.iou(coded, coded, [0] * len(coded)), -1)
    return tuple(bool(same) for same in (iou > REPEATED).any(axis=1))


def _rounded(score: float | None) -> float | None:
    """A score as it is shown; None or NaN is one that nobody knows."""
    return None if score is None or math.isnan(score) else round(score, 3)


def _parts(score: float | None) -> int:
    return -1 if score is None or math.isnan(score) else round(score * _SCORES)
