"""What the fixtures of all formats are made of: photographs, masks and annotation files, written by the test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from engine.masks.rle import decode, encode
from engine.text.prompts import FAMILIES
from trainer.data.formats import open_format
from trainer.data.formats.base import Skipped
from trainer.data.record import Record

HEIGHT, WIDTH = 12, 20

TAGGED = "a phrase that is blank or holds a tag of the prompts or answers"
"""Why an answer is left out whose words can't be written."""


def photograph(path: Path, height: int = HEIGHT, width: int = WIDTH) -> None:
    """A grey photograph."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), (90, 90, 90)).save(path)


def write(path: Path, content: Any) -> None:
    """A JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def box(top: int, left: int, bottom: int, right: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A mask that is one box; `bottom` and `right` are not in it."""
    mask = np.zeros((height, width), np.bool_)
    mask[top:bottom, left:right] = True
    return mask


def rle(mask: np.ndarray) -> dict[str, Any]:
    """A mask as files of COCO have it."""
    return encode(mask[None])[0].to_coco()


def polygon(top: int, left: int, bottom: int, right: int) -> list[float]:
    """The outline of `box`."""
    return [left, top, right, top, right, bottom, left, bottom]


def read(name: str, source: Path) -> tuple[list[Record], Skipped]:
    """All records of a format."""
    skipped = Skipped()
    return list(open_format(name).read(source, FAMILIES, skipped)), skipped


def noted(skipped: Skipped) -> list[tuple[str, int, tuple[str, ...]]]:
    """What was left out, without the names that were looked for."""
    return [
        (reason, count, tuple(where.partition(" (")[0] for where in examples))
        for reason, count, examples in skipped.reasons()
    ]


def told(record: Record) -> tuple[str, str]:
    """Question and answer of a record of one turn."""
    (turn,) = record.turns
    return turn.question, turn.answer


def same(record: Record, *masks: np.ndarray) -> bool:
    """Whether these are the masks of a record, in order and to the pixel."""
    found = [decode(mask) for mask in record.masks if mask is not None]
    return len(found) == len(masks) == len(record.masks) and all(map(np.array_equal, found, masks))
