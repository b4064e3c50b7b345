"""The labels of one photograph: masks with pixels that are wanted, and no thing twice.

What is left out is not lost: the journal has it, and a caption says of each of its phrases which labels it means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask
from scipy import ndimage

from engine.masks import rle as run_lengths
from engine.records import RLE
from exporters.labels.filters import BOX, SUBJECT, Filters
from exporters.labels.numbering import MASKS, PARTS
from exporters.labels.plural import is_plural

Place = tuple[int, int]
"""Number of the answer in its photograph, and of the mask in it."""

_FOUR = ndimage.generate_binary_structure(2, 1)


@dataclass(frozen=True, slots=True)
class Label:
    """One mask with its words.

    Attributes:
        number: in its photograph, counted from 0 over all masks of all answers, the left-out ones too.
        place: of the mask in the record.
        rle, area, bbox, score: as in `engine.records.Mask`.
        name_score: as in `engine.records.GroundedPhrase`.
        phrase: its own.
        phrases: of all masks that are this thing, in the order of the record, its own among them.
        span: of its own phrase in the caption.
        group: it covers several things.
        parent: the mask that its answer is about.
        part: of a group that was split, from the largest on; 0 of what was not.
    """

    number: int
    place: Place
    rle: RLE
    area: int
    bbox: tuple[float, float, float, float]
    score: float
    name_score: float | None
    phrase: str
    phrases: tuple[str, ...]
    span: tuple[int, int]
    group: bool
    parent: Place | None
    part: int = 0


@dataclass(frozen=True, slots=True)
class Selected:
    """Attributes:
    labels: in the order of the record.
    instead: of each mask that is another label's thing, the place of that label; of each label, its own.
    left_out: of each other mask, why it is none: `empty`, `category` (none that is wanted), `area`, `score`, `group`,
        `reviewed`, `number` (no id left).
    masks: how many the record has.
    """

    labels: tuple[Label, ...]
    instead: Mapping[Place, Place]
    left_out: Mapping[Place, str]
    masks: int


def select(
    photograph: Mapping[str, Any],
    filters: Filters,
    category: Callable[[str], str | None],
    wrong: frozenset[Place] = frozenset(),
) -> Selected:
    """The labels of a photograph.

    Args:
        photograph: its public form (`engine.journal.to_json`).
        filters: what is wanted.
        category: of a phrase, None where it is not wanted; the subject of a fine-grained answer has that of what it
            is about.
        wrong: masks that somebody found so.
    """
    candidates = [_cut(label, filters.min_part) for label in _all(photograph)]
    left_out = {label.place: why for label in candidates if (why := _why_not(label, filters, category))}
    left_out |= dict.fromkeys(wrong & {label.place for label in candidates}, "reviewed")
    wanted = [label for label in candidates if label.place not in left_out]
    instead = {label.place: label.place for label in wanted}
    if filters.nms is not None and len(wanted) > 1:
        instead = _united(wanted, filters.nms, category)
    phrases: dict[Place, dict[str, None]] = {}
    for label in wanted:
        phrases.setdefault(instead[label.place], {})[label.phrase] = None
    labels = tuple(
        replace(label, phrases=tuple(filter(None, phrases[label.place])), parent=_parent(label, instead))
        for label in wanted
        if instead[label.place] == label.place
    )
    if filters.groups == "split":
        labels = tuple(_split(labels))
    return Selected(labels, instead, left_out, len(candidates))


def _all(photograph: Mapping[str, Any]) -> Iterator[Label]:
    number = 0
    for answer, segcap in enumerate(photograph["segcaps"]):
        phrases = {seg: phrase for phrase in segcap["phrases"] for seg in phrase["segs"]}
        about = segcap["parent"]
        for seg, mask in enumerate(segcap["masks"]):
            phrase = phrases[seg]
            height, width = mask["segmentation"]["size"]
            x, y, box_width, box_height = mask["bbox"]
            yield Label(
                number,
                (answer, seg),
                RLE(height, width, mask["segmentation"]["counts"]),
                mask["area"],
                (x, y, box_width, box_height),
                mask["score"],
                phrase.get("name_score"),
                phrase["text"],
                (),
                (phrase["span"][0], phrase["span"][1]),
                len(phrase["segs"]) == 1 and is_plural(phrase["text"]),
                (about["segcap"], about["seg"]) if about else None,
            )
            number += 1


def _why_not(label: Label, filters: Filters, category: Callable[[str], str | None]) -> str:
    if not label.area:
        return "empty"
    if category(label.phrase) is None:
        return "category"
    if label.number >= MASKS:
        return "number"
    if label.area < filters.min_area:
        return "area"
    if label.score < filters.min_score:
        return "score"
    return "group" if label.group and filters.groups == "drop" else ""


def _cut(label: Label, smallest: int) -> Label:
    """Without its parts of fewer pixels."""
    if smallest <= 1 or not label.area:
        return label
    parts, count = ndimage.label(run_lengths.decode(label.rle), _FOUR)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    kept = sizes >= smallest
    kept[0] = False
    return label if kept[1:].all() else _reshaped(label, kept[parts])


def _reshaped(label: Label, pixels: np.ndarray) -> Label:
    [rle] = run_lengths.encode(pixels[None])
    return replace(label, rle=rle, area=run_lengths.area(rle), bbox=run_lengths.bbox(rle))


def _united(labels: list[Label], threshold: float, category: Callable[[str], str | None]) -> dict[Place, Place]:
    """Of each mask, the one that stays for it."""
    row = {label.place: at for at, label in enumerate(labels)}
    encoded = [label.rle.to_coco() for label in labels]
    overlap = coco_mask.iou(encoded, encoded, [0] * len(encoded))
    boxes = np.array([label.bbox for label in labels])
    boxed = coco_mask.iou(boxes, boxes, [0] * len(boxes))
    kinds = [category(label.phrase) for label in labels]
    of = list(range(len(labels)))
    for at, label in enumerate(labels):
        parent = row.get(label.parent) if label.parent else None
        if parent is None or overlap[at, parent] < SUBJECT:
            continue
        if kinds[at] == kinds[parent]:
            of[at] = parent
    kept: list[int] = []
    # Subjects are gone already; of equal scores the first stays.
    for at in sorted((at for at in range(len(of)) if of[at] == at), key=lambda at: -labels[at].score):
        rival = next(
            (
                other
                for other in kept
                if overlap[at, other] >= threshold or (kinds[at] == kinds[other] and boxed[at, other] >= BOX)
            ),
            None,
        )
        if rival is None:
            kept.append(at)
        else:
            of[at] = rival
    return {label.place: labels[_end(of, at)].place for at, label in enumerate(labels)}


def _end(of: list[int], at: int) -> int:
    while of[at] != at:
        at = of[at]
    return at


def _parent(label: Label, instead: Mapping[Place, Place]) -> Place | None:
    """What stays of the mask that it is about, unless that is this label itself."""
    parent = instead.get(label.parent) if label.parent else None
    return None if parent == label.place else parent


def _split(labels: tuple[Label, ...]) -> Iterator[Label]:
    """Groups as their connected parts, the largest first; the smallest of very many stay together."""
    for label in labels:
        if not label.group:
            yield label
            continue
        pieces, count = ndimage.label(run_lengths.decode(label.rle), _FOUR)
        sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
        part = np.zeros(count + 1, int)
        part[np.argsort(-sizes, kind="stable") + 1] = np.minimum(np.arange(count), PARTS - 1)
        parts = np.where(pieces, part[pieces], -1)
        for number in range(min(count, PARTS)):
            yield replace(_reshaped(label, parts == number), part=number, group=False)
