"""Referring: one file that holds, for every expression, the true masks beside the predicted ones.

    {"items": [{"id": "17", "text": "the left cup", "gt": [RLE, ...], "pred": [RLE, ...]}]}

The official script saves no predictions, so this layout is mglmm's own; with the truth in it, it can be scored without
the data set. Read too is a list of images, each with `expressions` of `{text, gt, pred}`, one mask each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.json_file import read_json
from engine.records import RLE
from engine.text.prompts import Task
from trainer.benchmarks.benchmark import Benchmark, Question
from trainer.benchmarks.entries import identity, listed, mask_in, masks_in, text
from trainer.benchmarks.masks import Expressions, Target
from trainer.benchmarks.predictions import Found, check_sizes
from trainer.data.formats.reading import field
from trainer.metrics.mgsc import Prediction

FILE = "predictions.json"


@dataclass(frozen=True, slots=True)
class _Item:
    id: str
    text: str
    gt: tuple[RLE, ...] | None
    pred: tuple[RLE, ...]


def read(path: Path, benchmark: Benchmark) -> Found:
    """Read the predicted masks.

    Raises:
        UsageError: if the file can't be read, or an item is malformed or of another size than its truth.
    """
    asked = {question.id for question in benchmark.questions}
    items = _items(path)
    for item in items:
        frame = benchmark.frame(item.id) if item.id in asked else None
        try:
            check_sizes("pred", item.pred, frame)
        except ValueError as error:
            raise UsageError(f"{path}: item {item.id!r}: {error}") from None
    return Found({item.id: Prediction(item.id, None, (), item.pred) for item in items})


def read_truth(path: Path, *, empty_targets: bool, limit: int | None) -> Expressions:
    """The true masks of such a file as a benchmark.

    Raises:
        UsageError: if the file can't be read or an item has no truth.
    """
    items = _items(path)[:limit]
    if bare := [item.id for item in items if item.gt is None]:
        raise UsageError(f"{path}: {len(bare)} items have no true mask 'gt', such as {bare[0]!r}: say --data")
    if not items:
        raise UsageError(f"{path}: no items")
    questions = [Question(item.id, path, Task.REFERRING, item.text) for item in items]
    targets = {item.id: Target(item.gt or ()) for item in items}
    return Expressions(questions, targets, empty_targets=empty_targets)


def write(folder: Path, answers: Mapping[str, Prediction], benchmark: Benchmark) -> None:
    """Write one file with the answers and the truth."""
    folder.mkdir(parents=True, exist_ok=True)
    items = [
        {
            "id": question.id,
            "text": question.about,
            "gt": [mask.to_coco() for mask in benchmark.truth(question.id).masks],
            "pred": [mask.to_coco() for mask in answers[question.id].masks],
        }
        for question in benchmark.questions
        if question.id in answers
    ]
    (folder / FILE).write_text(json.dumps({"items": items}), encoding="utf-8")


def _items(path: Path) -> list[_Item]:
    path = path / FILE if path.is_dir() else path
    found: dict[str, _Item] = {}
    for number, entry in enumerate(listed(path, read_json(path), "items")):
        name = f"items[{number}]"
        try:
            image = identity(entry, "image_id") if "image_id" in field({name: entry}, name, dict) else number
            several = field(entry, "expressions", list) if "expressions" in entry else None
            for index, part in enumerate([entry] if several is None else several):
                known = isinstance(part, dict) and "id" in part
                name = identity(part, "id") if known else f"{image}:{number if several is None else index}"
                if name in found:
                    raise ValueError("for the second time")
                found[name] = _item(name, part)
        except ValueError as error:
            raise UsageError(f"{path}: item {name!r}: {error}") from None
    return list(found.values())


def _item(name: str, part: Any) -> _Item:
    if field(part, "pred", object) is None:
        pred: tuple[RLE, ...] = ()
    else:
        pred = _masks(part, "pred")
    gt = _masks(part, "gt") if part.get("gt") is not None else None
    check_sizes("gt", gt or ())
    return _Item(name, text(part, "text") if "text" in part else "", gt, pred)


def _masks(part: Any, key: str) -> tuple[RLE, ...]:
    """A list of masks, or one alone."""
    return masks_in(part, key) if isinstance(part[key], list) else (mask_in(part, key),)
