"""Referring: one file that holds, for every expression, the true masks beside the predicted ones.

    {"items": [{"id": "17", "text": "the left cup", "gt": [RLE, ...], "pred": [RLE, ...]}]}

The official script saves no predictions, so this layout is mglmm's own; with the truth in it, it can be scored without
the data set. Read too is a list of images, each with `expressions` of `{text, gt, pred}`, one mask each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.records import RLE
from engine.text.prompts import Task
from trainer.benchmarks.benchmark import Benchmark, Question
from trainer.benchmarks.masks import Expressions, Target
from trainer.benchmarks.predictions import Found
from trainer.data.formats.reading import field, read_json
from trainer.metrics.mgsc import Prediction
from trainer.metrics.official_files import parse_rle

FILE = "predictions.json"


@dataclass(frozen=True, slots=True)
class _Item:
    id: str
    text: str
    gt: tuple[RLE, ...] | None
    pred: tuple[RLE, ...]


def read(path: Path) -> Found:
    """Read the predicted masks.

    Raises:
        UsageError: if the file can't be read or an item is malformed.
    """
    return Found({item.id: Prediction(item.id, None, (), item.pred) for item in _items(path)})


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
    content = read_json(path)
    found: dict[str, _Item] = {}
    try:
        for number, entry in enumerate(field(content, "items", list)):
            parts = field(entry, "expressions", list) if "expressions" in entry else [entry]
            for index, part in enumerate(parts):
                name = part.get("id", f"{entry.get('image_id', number)}:{index if parts[0] is not entry else number}")
                item = _Item(str(name), str(part.get("text", "")), _masks(part, "gt"), _masks(part, "pred") or ())
                if "pred" not in part:
                    raise ValueError(f"item {name!r} has no 'pred'")
                if item.id in found:
                    raise ValueError(f"item {name!r} for the second time")
                found[item.id] = item
    except (ValueError, AttributeError) as error:
        raise UsageError(f"{path}: {error}") from None
    return list(found.values())


def _masks(part: Mapping[str, Any], key: str) -> tuple[RLE, ...] | None:
    stored = part.get(key)
    if stored is None:
        return None
    masks: Sequence[Any] = stored if isinstance(stored, list) else [stored]
    return tuple(parse_rle(mask) for mask in masks)
