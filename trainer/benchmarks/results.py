"""A result on disk: `results.json` says what was scored and how, `items.jsonl` what every question adds.

    {"id": "sa_7_0", "scores": {"miou": [0.72, 1], "recall": [3, 7]}}

A score is the sum of the first numbers over that of the second.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from engine.atomic import replacing
from engine.errors import UsageError
from trainer.benchmarks.benchmark import Report, Share
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
        "scores": dict(report.scores),
        "corrected": dict(report.corrected),
        "baseline": dict(baseline),
        "paper": dict(paper),
        "counts": dict(report.counts),
        "missing": dict(report.missing),
        "notes": list(report.notes),
    }
    with replacing(folder / ITEMS) as file:
        for name, shares in report.items.items():
            line = {"id": name, "scores": {key: list(share) for key, share in shares.items()}}
            file.write(json.dumps(line).encode() + b"\n")
    with replacing(folder / RESULTS) as file:
        file.write(json.dumps(content, indent=2).encode() + b"\n")


def read_result(path: Path) -> Stored:
    """Read a result back.

    Args:
        path: its `results.json`; `items.jsonl` lies beside it.

    Raises:
        UsageError: if a file is missing or not of this form.
    """
    items = path.with_name(ITEMS)
    try:
        scored = Scored(**json.loads(path.read_bytes())["scored"])
        lines = [json.loads(line) for line in items.read_bytes().splitlines()]
        shares = {line["id"]: {name: (float(a), float(b)) for name, (a, b) in line["scores"].items()} for line in lines}
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}: name the {RESULTS} of an earlier evaluation") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: not a result of mglmm eval ({error})") from None
    return Stored(scored, shares)


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
