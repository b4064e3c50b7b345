"""Referring segmentation of the one person of a photograph, and empty targets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.masks import rle
from engine.model.checkpoint import Checkpoint
from engine.pipeline import Options, Pipeline
from engine.prompts import Task, instruction
from engine.records import RLE
from trainer.benchmarks.folders import answer_all, open_split
from trainer.data.compose.denial import draw_absent
from trainer.data.compose.nouns import noun
from trainer.data.compose.view import View
from trainer.data.folders import Folder, Item
from trainer.metrics.refer import overlap, refer_scores

_SETS = ("coco", "ccp", "camvid")
_SMALLEST = 0.003
"""A thing under this share of the frame is not asked for; descriptions do not name it either."""


def run(checkpoint: Checkpoint, *, data: Path, split: str, limit: int | None = None) -> dict[str, dict[str, float]]:
    """Score a model, beside two constants.

    * "the person", on photographs of `coco/<split>` with exactly one annotated person: cIoU and gIoU. The baseline
      answers with the whole frame.
    * In each set, per photograph one class that is surely absent and one that is there once (both drawn by how often
      the classes occur, so that a name does not tell): share refused, share segmented. The baseline always segments.

    Args:
        checkpoint: the model.
        data: root of the photographs.
        split: which part of each set.
        limit: only the first so many photographs of each set.

    Returns:
        contestant to metric to value, in percent.
    """
    coco = open_split(data, "coco", split, limit)
    people = [item for item in coco.items if [entry.label for entry in item.objects].count("person") == 1]
    people = [item for item in people if not any(entry.crowd and entry.label == "person" for entry in item.objects)]
    truths = [_person(coco, item) for item in people]
    answered = _ask_all(checkpoint, people, ["person"] * len(people))
    model = refer_scores([overlap([truth], masks) for truth, masks in zip(truths, answered, strict=True)])
    whole = refer_scores([overlap([truth], [_frame(truth)]) for truth in truths])
    found = {"person cIoU": 100 * model.ciou, "person gIoU": 100 * model.giou}
    constant = {"person cIoU": 100 * whole.ciou, "person gIoU": 100 * whole.giou}
    counts: dict[str, float] = {"persons": len(people)}
    for name in _SETS:
        folder = open_split(data, name, split, limit)
        present, absent = _questions(folder)
        refused = [not masks for masks in _ask_all(checkpoint, *zip(*absent, strict=True))]
        segmented = [bool(masks) for masks in _ask_all(checkpoint, *zip(*present, strict=True))]
        found |= {f"{name} absent refused": _share(refused), f"{name} present segmented": _share(segmented)}
        constant |= {f"{name} absent refused": 0.0, f"{name} present segmented": 100.0}
        counts |= {f"{name} absent asked": len(absent), f"{name} present asked": len(present)}
    return {checkpoint.name: found | counts, "constant baseline": constant | counts}


def _share(hits: Sequence[bool]) -> float:
    return 100 * sum(hits) / max(1, len(hits))


def _ask_all(checkpoint: Checkpoint, items: Sequence[Item], labels: Sequence[str]) -> list[list[RLE]]:
    """The non-empty masks of the answer to "Segment the <label>." for each photograph; one label a batch."""
    answers: dict[int, list[RLE]] = {}
    for label in dict.fromkeys(labels):
        numbers = [number for number, other in enumerate(labels) if other == label]
        pipeline = Pipeline(
            checkpoint, Options(instruction=instruction(Task.REFERRING, label=f"the {noun(label).singular}"))
        )
        records = answer_all(pipeline, (items[number] for number in numbers))
        for number, record in zip(numbers, records, strict=True):
            answers[number] = [mask.rle for mask in record.segcaps[0].masks if mask.area]
    return [answers[number] for number in range(len(items))]


def _person(folder: Folder, item: Item) -> RLE:
    (mask,) = (thing.mask for thing in folder.load(item).things if thing.label == "person")
    return rle.encode(mask[None])[0]


def _questions(folder: Folder) -> tuple[list[tuple[Item, str]], list[tuple[Item, str]]]:
    """For each photograph a class that is there once, if any, and one that is not there."""
    rng = np.random.default_rng(0)
    present: list[tuple[Item, str]] = []
    absent: list[tuple[Item, str]] = []
    for item in folder.items:
        view = View(folder.load(item))
        single = [
            label
            for label in view.labels
            if len(view.members(label)) == 1 and view.certain(label) and view.members(label)[0].mean() >= _SMALLEST
        ]
        if single:
            present.append((item, single[int(rng.integers(len(single)))]))
        label = draw_absent(view, rng)
        if label is not None:
            absent.append((item, label))
    return present, absent


def _frame(rle_of: RLE) -> RLE:
    return rle.encode(np.ones((1, rle_of.height, rle_of.width), bool))[0]
