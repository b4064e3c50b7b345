"""Referring segmentation of the one person of a photograph, and empty targets, on COCO photographs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.images.sources import Source
from engine.masks import rle
from engine.model.checkpoint import Checkpoint
from engine.pipeline import Options, Pipeline
from engine.prompts import Task, instruction
from engine.records import RLE, PhotoRecord
from trainer.benchmarks.folders import open_split
from trainer.data.compose.nouns import noun
from trainer.data.folders import Folder, Item
from trainer.metrics.refer import overlap, refer_scores

_SMALLEST = 0.003
"""A thing under this share of the frame is not asked for; descriptions do not name it either."""


def run(checkpoint: Checkpoint, *, data: Path, split: str, limit: int | None = None) -> dict[str, dict[str, float]]:
    """Score a model on `coco/<split>`, beside two constants.

    * "the person", on photographs with exactly one annotated person: cIoU and gIoU. The baseline answers with the
      whole frame.
    * one class that is absent (drawn with the frequency that present classes have) and one that is there once, per
      photograph: share refused, share segmented. The baseline always segments.

    Returns:
        contestant to metric to value, in percent.
    """
    folder = open_split(data, "coco", split, limit)
    people = [item for item in folder.items if _names(item).count("person") == 1 and not _crowds(item)]
    truths = [_person(folder, item) for item in people]
    answered = _ask_all(checkpoint, people, ["the person"] * len(people))
    model = [overlap([truth], masks) for truth, masks in zip(truths, answered, strict=True)]
    whole = [overlap([truth], rle.encode(np.ones((1, truth.height, truth.width), bool))) for truth in truths]
    present, absent = _labels(folder)
    found = _ask_all(checkpoint, [item for item, _ in present], [_named(label) for _, label in present])
    refused = _ask_all(checkpoint, [item for item, _ in absent], [_named(label) for _, label in absent])
    counts = {"persons": len(people), "absent asked": len(absent), "present asked": len(present)}
    return {
        checkpoint.name: {
            "person cIoU": 100 * refer_scores(model).ciou,
            "person gIoU": 100 * refer_scores(model).giou,
            "absent refused": 100 * sum(not masks for masks in refused) / len(refused),
            "present segmented": 100 * sum(bool(masks) for masks in found) / len(found),
            **counts,
        },
        "constant baseline": {
            "person cIoU": 100 * refer_scores(whole).ciou,
            "person gIoU": 100 * refer_scores(whole).giou,
            "absent refused": 0.0,
            "present segmented": 100.0,
            **counts,
        },
    }


def _ask_all(checkpoint: Checkpoint, items: Sequence[Item], labels: Sequence[str]) -> list[list[RLE]]:
    """The non-empty masks of the answer to "Segment ..." for each photograph; photographs of one label in a batch."""
    answers: dict[int, list[RLE]] = {}
    for label in dict.fromkeys(labels):
        numbers = [number for number, other in enumerate(labels) if other == label]
        pipeline = Pipeline(checkpoint, Options(instruction=instruction(Task.REFERRING, label=label)))
        outcomes = pipeline.run(Source(items[number].image, items[number].name) for number in numbers)
        for number, (_, record) in zip(numbers, outcomes, strict=True):
            assert isinstance(record, PhotoRecord), record
            answers[number] = [mask.rle for mask in record.segcaps[0].masks if mask.area]
    return [answers[number] for number in range(len(items))]


def _person(folder: Folder, item: Item) -> RLE:
    (mask,) = (thing.mask for thing in folder.load(item).things if thing.label == "person")
    return rle.encode(mask[None])[0]


def _labels(folder: Folder) -> tuple[list[tuple[Item, str]], list[tuple[Item, str]]]:
    """For each photograph a class that is there once, if any, and one that is not there."""
    rng = np.random.default_rng(0)
    present: list[tuple[Item, str]] = []
    for item in folder.items:
        scene = folder.load(item)
        names = _names(item)
        single = sorted(
            thing.label
            for thing in scene.things
            if names.count(thing.label) == 1 and thing.label not in scene.crowds and thing.mask.mean() >= _SMALLEST
        )
        if single:
            present.append((item, single[int(rng.integers(len(single)))]))
    pool = [label for _, label in present]
    absent = []
    for item in folder.items:
        candidates = [label for label in pool if label not in _names(item)]
        absent.append((item, candidates[int(rng.integers(len(candidates)))]))
    return present, absent


def _names(item: Item) -> list[str]:
    return [entry.label for entry in item.objects]


def _crowds(item: Item) -> bool:
    return any(entry.crowd and entry.label == "person" for entry in item.objects)


def _named(label: str) -> str:
    return f"the {noun(label).singular}"
