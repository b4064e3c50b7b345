"""Captions: COCO results, a list of `{image_id, caption}`, in one file or in several of a folder.

Of several captions of one image the first counts, files taken by name, as in the official region script.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from trainer.benchmarks.predictions import Found
from trainer.data.formats.reading import field, read_json
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
        entries = content if isinstance(content, list) else [content]
        for number, entry in enumerate(entries):
            try:
                image_id, caption = str(field(entry, "image_id", object)), entry.get("caption")
                if caption is not None and not isinstance(caption, str):
                    raise ValueError("'caption' that is not a text")
            except ValueError as error:
                raise UsageError(f"{file}: entry {number}: {error}") from None
            if image_id in answers:
                again.append(image_id)
            else:
                answers[image_id] = Prediction(image_id, caption, (), ())
    if not again:
        return Found(answers)
    return Found(answers, (f"{len(again)} more captions of an image, such as {again[0]!r}: the first counts",))


def write(folder: Path, answers: Iterable[Prediction]) -> None:
    """Write one file."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = [{"image_id": _number(one.image_id), "caption": one.caption} for one in answers]
    (folder / FILE).write_text(json.dumps(entries), encoding="utf-8")


def _number(image_id: str) -> Any:
    """COCO's own ids are numbers, and its scripts compare them as such."""
    return int(image_id) if image_id.isdecimal() and str(int(image_id)) == image_id else image_id
