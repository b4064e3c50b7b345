"""ReasonSeg and MUSE: the splits that are not for training.

    val/*.jpg and *.json, test/*.jpg and *.json     ReasonSeg
    MUSE_val.json, MUSE_test.json                   MUSE, over photographs of COCO

In ReasonSeg, pixels of a shape labelled "ignore" count on neither side; questions that are a phrase are scored as
`short`, those that are a sentence as `long`, besides all together. In MUSE all objects of an answer are merged.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.json_file import read_json
from engine.masks.rle import area
from engine.text.prompts import Task
from trainer.benchmarks.benchmark import Question
from trainer.benchmarks.entries import WORDLESS, each, photograph, texts
from trainer.benchmarks.masks import Expressions, Target
from trainer.data.formats.base import Skipped
from trainer.data.formats.coco_file import first_of
from trainer.data.formats.muse import image_of
from trainer.data.formats.photographs import Names
from trainer.data.formats.reading import coco_to_rle, field, flag, image_size, integer, json_list
from trainer.data.formats.reason_seg import regions

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
        image = (images or folder) / f"{path.stem}.jpg"
        entry = read_json(path, encoding="cp1252")
        try:
            asked, shapes = texts(entry, "text"), field(entry, "shapes", list)
            sentence = flag(entry, "is_sentence")
        except ValueError as error:
            raise UsageError(f"{path}: {error}") from None
        size = image_size(image)
        try:
            drawn, undecided = regions(shapes, *size, partial(skipped.remark, str(path)))
        except ValueError as error:
            skipped.add(str(path), str(error))
            continue
        target = Target((drawn,), undecided if area(undecided) else None, "long" if sentence else "short")
        task = Task.REASONING if sentence else Task.REFERRING
        for number, said in enumerate(asked):
            if said.strip():
                pairs.append((Question(f"{path.stem}:{number}", image, task, said.strip()), target))
            else:
                skipped.add(f"{path}, question {number}", WORDLESS)
    return pairs


def _muse(data: Path, split: str, images: Path | None, skipped: Skipped) -> Pairs:
    path = data / first_of(data, f"MUSE_{split}.json", f"muse_{split}.json")
    parse = partial(_muse_entry, Names(images or data))
    pairs: Pairs = []
    for number, (image, height, width, asked) in enumerate(each(path, "entry", json_list(path), parse)):
        for index, (said, stored) in enumerate(asked):
            where = f"{path.name}: entry {number}, question {index}"
            try:
                if not said.strip():
                    raise ValueError(WORDLESS)
                masks = tuple(coco_to_rle(one, height, width, partial(skipped.remark, where)) for one in stored)
            except ValueError as error:
                skipped.add(where, str(error))
                continue
            pairs.append((Question(f"{number}:{index}", image, Task.REASONING, said.strip()), Target(masks)))
    return pairs


def _muse_entry(names: Names, entry: Any) -> tuple[Path, int, int, list[tuple[str, list[Any]]]]:
    """Photograph, its height and width, and each question with the masks of its answer as they are stored."""
    asked, answers = texts(entry, "questions"), field(entry, "answers", list)
    if len(asked) != len(answers):
        raise ValueError(f"{len(asked)} questions but {len(answers)} answers")
    image = photograph(names, {"file_name": image_of(entry)}, "file_name")
    stored = [
        [field(one, "segmentation", object) for one in field({"answer": some}, "answer", list)] for some in answers
    ]
    return image, integer(entry, "height"), integer(entry, "width"), list(zip(asked, stored, strict=True))


SETS: dict[str, Callable[[Path, str, Path | None, Skipped], Pairs]] = {"reasonseg": _reason_seg, "muse": _muse}
