"""A result on disk: `results.json` says what was scored and how, `items.jsonl` what every question adds.

    {"id": "sa_7_0", "scores": {"miou": [0.72, 1], "recall": [3, 7]}}

A score is the sum of the first numbers over that of the second.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from engine.atomic import replacing
from engine.errors import UsageError
from engine.json_file import parse_json, read_bytes, read_json
from trainer.benchmarks.benchmark import Report, Share
from trainer.benchmarks.entries import each, number
from trainer.data.formats.reading import field as value_of
from trainer.metrics.mgsc import Prediction

RESULTS, ITEMS = "results.json", "items.jsonl"
_PACKAGES = ("numpy", "pycocotools", "pycocoevalcap", "torch", "transformers", "tokenizers")


@dataclass(frozen=True, slots=True)
class Scored:
    """What was scored, and how: all that it takes to do it again.

    Attributes:
        tool: name and version.
        benchmark, dataset, split: which questions.
        protocol: by which rules.
        data_hash: see `trainer.benchmarks.benchmark.data_hash`.
        questions: how many.
        answers_hash: see `answers_hash`.
        model, model_hash: whose answers; empty where they came from files.
        predictions: where they came from, if from files.
        options: what else was chosen.
        text_model, text_model_hash: the measure of similarity, where one was used.
        versions: of Python and of the packages that have a part in the numbers.
    """

    tool: str
    benchmark: str
    dataset: str
    split: str
    protocol: str
    data_hash: str
    questions: int
    answers_hash: str
    model: str = ""
    model_hash: str = ""
    predictions: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    text_model: str = ""
    text_model_hash: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stored:
    """A result that was read back."""

    scored: Scored
    items: Mapping[str, Mapping[str, Share]]


def write_result(
    folder: Path, scored: Scored, report: Report, paper: Mapping[str, float], baseline: Mapping[str, float | None]
) -> None:
    """Write both files of a result; the folder is made."""
    content = {
        "scored": asdict(scored),
        "scores": _finite(report.scores),
        "corrected": _finite(report.corrected),
        "baseline": _finite(baseline),
        "paper": dict(paper),
        "counts": dict(report.counts),
        "missing": dict(report.missing),
        "notes": list(report.notes),
    }
    with replacing(folder / ITEMS) as file:
        for name, shares in report.items.items():
            finite = {key: list(share) for key, share in shares.items() if all(map(math.isfinite, share))}
            file.write(json.dumps({"id": name, "scores": finite}, allow_nan=False).encode() + b"\n")
    with replacing(folder / RESULTS) as file:
        file.write(json.dumps(content, indent=2, allow_nan=False).encode() + b"\n")


def read_result(path: Path) -> Stored:
    """Read a result back.

    Args:
        path: its `results.json`; `items.jsonl` lies beside it.

    Raises:
        UsageError: if a file is missing or not of this form; names it and the line.
    """
    try:
        scored = _scored(read_json(path))
    except ValueError as error:
        raise UsageError(f"{path}: not a result of mglmm eval: {error}") from None
    items = path.with_name(ITEMS)
    return Stored(scored, dict(each(items, "line", read_bytes(items).splitlines(), _item)))


def _scored(content: Any) -> Scored:
    stored = value_of(content, "scored", dict)
    if strange := stored.keys() - {one.name for one in fields(Scored)}:
        raise ValueError(f"{min(strange)!r} is unknown")
    for one in fields(Scored):
        kind = {"questions": int, "options": dict, "versions": dict}.get(one.name, str)
        if one.name in stored or one.default is one.default_factory is MISSING:
            value_of(stored, one.name, kind)
    return Scored(**stored)


def _item(line: bytes) -> tuple[str, dict[str, Share]]:
    content = parse_json(line)
    shares = value_of(content, "scores", dict)
    return value_of(content, "id", str), {name: _share(share) for name, share in shares.items()}


def _share(stored: Any) -> Share:
    if not isinstance(stored, list) or len(stored) != 2:
        raise ValueError("a score that is not two numbers")
    part, whole = (number({"score": one}, "score") for one in stored)
    return part, whole


def _finite(scores: Mapping[str, float | None]) -> dict[str, float | None]:
    """JSON knows no other numbers."""
    return {name: value if value is None or math.isfinite(value) else None for name, value in scores.items()}


def answers_hash(answers: Iterable[Prediction]) -> str:
    """SHA-256 over all answers, in the order of their ids."""
    digest = hashlib.sha256()
    for one in sorted(answers, key=lambda one: one.image_id):
        masks = [mask.to_coco() for mask in one.masks]
        digest.update(json.dumps([one.image_id, one.caption, one.phrases, masks]).encode())
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Python and the packages that have a part in the numbers."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
