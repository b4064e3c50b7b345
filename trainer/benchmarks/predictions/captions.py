"""Captions: COCO results, a list of `{image_id, caption}`, in one file or in several of a folder.

Of several captions of one image the first counts, files taken by name, as in the official region script.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.json_file import read_json
from trainer.benchmarks.entries import each, identity, text, written_id
from trainer.benchmarks.predictions import Found
from trainer.metrics.mgsc import Prediction

FILE = "captions.json"


def read(path: Path) -> Found:
    """Read captions.

    Raises:
        UsageError: if a file can't be read or an entry is malformed.
    """
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise UsageError(f"{path}: no *.json in it")
    answers: dict[str, Prediction] = {}
    again: list[str] = []
    for file in files:
        content = read_json(file)
        for answer in each(file, "entry", content if isinstance(content, list) else [content], _answer):
            if answers.setdefault(answer.image_id, answer) is not answer:
                again.append(answer.image_id)
    if not again:
        return Found(answers)
    return Found(answers, (f"{len(again)} more captions of an image, such as {again[0]!r}: the first counts",))


def write(folder: Path, answers: Iterable[Prediction]) -> None:
    """Write one file."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = [{"image_id": written_id(one.image_id), "caption": one.caption} for one in answers]
    (folder / FILE).write_text(json.dumps(entries), encoding="utf-8")


def _answer(entry: Any) -> Prediction:
    said = text(entry, "caption") if isinstance(entry, dict) and entry.get("caption") is not None else None
    return Prediction(identity(entry, "image_id"), said, (), ())
