"""ReasonSeg and MUSE: the splits that are not for training.

    val/*.jpg and *.json, test/*.jpg and *.json     ReasonSeg
    MUSE_val.json, MUSE_test.json                   MUSE, over photographs of COCO

In ReasonSeg, pixels of a shape labelled "ignore" count on neither side; questions that are a phrase are scored as
`short`, those that are a sentence as `long`, besides all together. In MUSE all objects of an answer are merged.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import UsageError
from engine.masks.rle import decode, encode
from engine.records import RLE
from engine.text.prompts import Task
from trainer.benchmarks.benchmark import Question
from trainer.benchmarks.masks import Expressions, Target
from trainer.data.formats.coco_file import first_of
from trainer.data.formats.reading import (
    coco_to_rle,
    field,
    image_size,
    json_list,
    polygons_to_rle,
    read_json,
    texts,
)

Pairs = list[tuple[Question, Target]]


def open_reasoning(data: Path, name: str, split: str, images: Path | None, limit: int | None) -> Expressions:
    """A split of `reasonseg` or `muse`.

    Raises:
        UsageError: if a file is missing or malformed; names the entry.
    """
    pairs = SETS[name](data, split, images)[:limit]
    if not pairs:
        raise UsageError(f"{data}: the split {split} of {name} has no question")
    targets = {question.id: target for question, target in pairs}
    return Expressions([question for question, _ in pairs], targets, empty_targets=False)


def _reason_seg(data: Path, split: str, images: Path | None) -> Pairs:
    folder = data / split
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder")
    pairs: Pairs = []
    for path in sorted(folder.glob("*.json")):
        photograph = (images or folder) / f"{path.stem}.jpg"
        try:
            entry = read_json(path, encoding="cp1252")
            shapes, asked = field(entry, "shapes", list), texts(entry, "text")
            sentence = bool(entry.get("is_sentence"))
            masks, undecided = _drawn(shapes, *image_size(photograph))
        except ValueError as error:
            raise UsageError(f"{path}: {error}") from None
        target = Target(masks, undecided, "long" if sentence else "short")
        task = Task.REASONING if sentence else Task.REFERRING
        pairs += [
            (Question(f"{path.stem}:{number}", photograph, task, text.strip()), target)
            for number, text in enumerate(asked)
        ]
    return pairs


def _drawn(shapes: list[Any], height: int, width: int) -> tuple[tuple[RLE, ...], RLE | None]:
    """The target and the undecided pixels; smaller shapes lie over larger ones."""
    drawn = []
    for shape in shapes:
        label = field(shape, "label", str).lower()
        if label != "flag":
            points = [side for point in field(shape, "points", list) for side in point]
            drawn.append((decode(polygons_to_rle([points], height, width)), "ignore" not in label))
    target = np.zeros((height, width), np.bool_)
    undecided = np.zeros((height, width), np.bool_)
    for pixels, counts in sorted(drawn, key=lambda one: -np.count_nonzero(one[0])):
        target[pixels], undecided[pixels] = counts, not counts
    masks = encode(np.stack([target, undecided]))
    return (masks[0],), masks[1] if undecided.any() else None


def _muse(data: Path, split: str, images: Path | None) -> Pairs:
    path = data / first_of(data, f"MUSE_{split}.json", f"muse_{split}.json")
    pairs: Pairs = []
    for number, entry in enumerate(json_list(path)):
        try:
            height, width = field(entry, "height", int), field(entry, "width", int)
            asked, answers = texts(entry, "questions"), field(entry, "answers", list)
            if len(asked) != len(answers):
                raise ValueError(f"{len(asked)} questions but {len(answers)} answers")
            photograph = (images or data) / _muse_image(entry)
            for index, (text, things) in enumerate(zip(asked, answers, strict=True)):
                masks = tuple(coco_to_rle(field(thing, "segmentation", object), height, width) for thing in things)
                question = Question(f"{number}:{index}", photograph, Task.REASONING, text.strip())
                pairs.append((question, Target(masks)))
        except ValueError as error:
            raise UsageError(f"{path}: entry {number}: {error}") from None
    return pairs


def _muse_image(entry: Any) -> str:
    if "file_name" in entry:
        return f"train2014/{field(entry, 'file_name', str)}"
    return "/".join(field(entry, "coco_url", str).split("/")[-2:])


SETS: dict[str, Callable[[Path, str, Path | None], Pairs]] = {"reasonseg": _reason_seg, "muse": _muse}
