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
from engine.images.sources import inside
from engine.json_file import read_json
from engine.masks.rle import decode, encode
from engine.records import RLE
from engine.text.prompts import Task
from trainer.benchmarks.benchmark import Question
from trainer.benchmarks.entries import WORDLESS, each, text, texts, whole
from trainer.benchmarks.masks import Expressions, Target
from trainer.data.formats.base import Skipped
from trainer.data.formats.coco_file import first_of
from trainer.data.formats.reading import coco_to_rle, field, image_size, json_list, polygons_to_rle

Pairs = list[tuple[Question, Target]]


def open_reasoning(
    data: Path, name: str, split: str, images: Path | None, limit: int | None, skipped: Skipped
) -> Expressions:
    """A split of `reasonseg` or `muse`.

    Args:
        data: the folder of the set.
        name: a key of `SETS`.
        split: which.
        images: folder of the photographs.
        limit: only the first so many questions.
        skipped: gets the questions whose mask can't be used.

    Raises:
        UsageError: if a file is missing or malformed; names the entry.
    """
    pairs = SETS[name](data, split, images, skipped)[:limit]
    targets = {question.id: target for question, target in pairs}
    return Expressions([question for question, _ in pairs], targets, empty_targets=False)


def _reason_seg(data: Path, split: str, images: Path | None, skipped: Skipped) -> Pairs:
    folder = data / split
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder")
    pairs: Pairs = []
    for path in sorted(folder.glob("*.json")):
        photograph = (images or folder) / f"{path.stem}.jpg"
        entry = read_json(path, encoding="cp1252")
        try:
            asked, shapes = texts(entry, "text"), [_shape(one) for one in field(entry, "shapes", list)]
        except ValueError as error:
            raise UsageError(f"{path}: {error}") from None
        sentence, size = bool(entry.get("is_sentence")), image_size(photograph)
        try:
            masks, undecided = _drawn(shapes, *size)
        except ValueError as error:
            skipped.add(str(path), str(error))
            continue
        target = Target(masks, undecided, "long" if sentence else "short")
        task = Task.REASONING if sentence else Task.REFERRING
        for number, said in enumerate(asked):
            if said.strip():
                pairs.append((Question(f"{path.stem}:{number}", photograph, task, said.strip()), target))
            else:
                skipped.add(f"{path}, question {number}", WORDLESS)
    return pairs


def _shape(entry: Any) -> tuple[str, list[Any]]:
    """What a shape is and its corners."""
    return text(entry, "label").lower(), field(entry, "points", list)


def _drawn(shapes: list[tuple[str, list[Any]]], height: int, width: int) -> tuple[tuple[RLE, ...], RLE | None]:
    """The target and the undecided pixels; smaller shapes lie over larger ones."""
    drawn = []
    for label, points in shapes:
        if label != "flag":
            if not all(isinstance(point, list) and len(point) == 2 for point in points):
                raise ValueError("a shape whose points are not pairs of numbers")
            outline = [side for point in points for side in point]
            drawn.append((decode(polygons_to_rle([outline], height, width)), "ignore" not in label))
    target = np.zeros((height, width), np.bool_)
    undecided = np.zeros((height, width), np.bool_)
    for pixels, counts in sorted(drawn, key=lambda one: -np.count_nonzero(one[0])):
        target[pixels], undecided[pixels] = counts, not counts
    masks = encode(np.stack([target, undecided]))
    return (masks[0],), masks[1] if undecided.any() else None


def _muse(data: Path, split: str, images: Path | None, skipped: Skipped) -> Pairs:
    path = data / first_of(data, f"MUSE_{split}.json", f"muse_{split}.json")
    pairs: Pairs = []
    for number, (photograph, height, width, asked) in enumerate(each(path, "entry", json_list(path), _muse_entry)):
        for index, (said, stored) in enumerate(asked):
            try:
                if not said.strip():
                    raise ValueError(WORDLESS)
                masks = tuple(coco_to_rle(one, height, width) for one in stored)
            except ValueError as error:
                skipped.add(f"{path.name}: entry {number}, question {index}", str(error))
                continue
            question = Question(f"{number}:{index}", inside(images or data, photograph), Task.REASONING, said.strip())
            pairs.append((question, Target(masks)))
    return pairs


def _muse_entry(entry: Any) -> tuple[str, int, int, list[tuple[str, list[Any]]]]:
    """Photograph, its height and width, and each question with the masks of its answer as they are stored."""
    asked, answers = texts(entry, "questions"), field(entry, "answers", list)
    if len(asked) != len(answers):
        raise ValueError(f"{len(asked)} questions but {len(answers)} answers")
    if "file_name" in entry:
        photograph = f"train2014/{text(entry, 'file_name')}"
    else:
        photograph = "/".join(text(entry, "coco_url").split("/")[-2:])
    stored = [
        [field(one, "segmentation", object) for one in field({"answer": some}, "answer", list)] for some in answers
    ]
    return photograph, whole(entry, "height"), whole(entry, "width"), list(zip(asked, stored, strict=True))


SETS: dict[str, Callable[[Path, str, Path | None, Skipped], Pairs]] = {"reasonseg": _reason_seg, "muse": _muse}
