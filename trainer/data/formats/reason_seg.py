"""`reasonseg`: ReasonSeg, questions whose answer is a region that the question doesn't name (LISA).

    train/NAME.jpg, train/NAME.json
    explanatory/train.json            explanations of answers, if they are wanted

    {"text": ["...", ...], "is_sentence": true, "shapes": [{"label": "target", "points": [[x, y], ...]}, ...]}
    [{"image": "NAME.jpg", "query": "...", "outputs": "..."}, ...]

`text` holds wordings of one question, or of one phrase where `is_sentence` is false. A shape labelled "ignore" is
undecided and counts as background, one labelled "flag" means nothing; smaller shapes lie over larger ones. Some files
are in Windows' code page 1252. The data names no object for a question: the phrase is that of its shapes, "target".

Source: https://github.com/dvlab-research/LISA#dataset
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import UsageError
from engine.masks.rle import decode, encode
from engine.records import RLE
from engine.text.prompts import Families, Task
from trainer.data.formats.asking import Photograph, Questions, Target
from trainer.data.formats.base import Format, Skipped
from trainer.data.formats.reading import (
    field,
    json_list,
    polygons_to_rle,
    read_json,
    size_below,
    skipping,
    texts,
    visible,
)
from trainer.data.record import Record

_ANSWER = "the target"


def _read(source: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    explanations = _explanations(source / "explanatory" / "train.json", skipped)
    questions = Questions(families, skipped)
    folder = source / "train"
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder")
    for path in sorted(folder.glob("*.json")):
        entry = read_json(path, encoding="cp1252")
        with skipping(skipped, path.name):
            name = path.with_suffix(".jpg").name
            photograph = Photograph(f"train/{name}", *size_below(folder, name))
            yield from _ask(photograph, entry, explanations.get(name, ("", "")), path.name, questions)


def _explanations(path: Path, skipped: Skipped) -> dict[str, tuple[str, str]]:
    """Query and explanation of photographs; none where the file is not there."""
    found = {}
    for index, item in enumerate(json_list(path) if path.is_file() else []):
        with skipping(skipped, f"explanatory/{path.name}: entry {index}"):
            found[field(item, "image", str)] = field(item, "query", str), field(item, "outputs", str)
    return found


def _ask(
    photograph: Photograph, entry: Any, explanation: tuple[str, str], where: str, questions: Questions
) -> Iterator[Record]:
    target, _ = regions(field(entry, "shapes", list), photograph.height, photograph.width)
    mask = visible(target)
    asked = texts(entry, "text")
    if not field(entry, "is_sentence", object):
        for index, text in enumerate(asked):
            phrase = text.strip().rstrip(".").lower()
            yield from questions.ask(
                photograph,
                Task.REASONING,
                [Target(phrase, (mask,))],
                source=f"{where}: text {index}",
                label=phrase,
                words=Task.REFERRING,
            )
        return
    query, outputs = explanation
    if query and query not in asked:
        asked = [*asked, query]
    for index, text in enumerate(asked):
        parts: list[str | Target] = [Target(_ANSWER, (mask,)), ".", outputs]
        yield from questions.ask(photograph, Task.REASONING, parts, source=f"{where}: text {index}", label=text)


def regions(shapes: list[Any], height: int, width: int) -> tuple[RLE, RLE]:
    """The target and the undecided pixels of the shapes of a photograph; either may be empty.

    Raises:
        ValueError: if they are not shapes of a file of ReasonSeg.
    """
    drawn = []
    for shape in shapes:
        label = field(shape, "label", str).lower()
        if label != "flag":
            polygon = _polygon(field(shape, "points", list))
            drawn.append((decode(polygons_to_rle([polygon], height, width)), "ignore" not in label))
    masks = np.zeros((2, height, width), np.bool_)
    for pixels, counts in sorted(drawn, key=lambda one: -np.count_nonzero(one[0])):
        masks[:, pixels] = [[counts], [not counts]]
    target, undecided = encode(masks)
    return target, undecided


def _polygon(points: list[Any]) -> list[float]:
    if not all(isinstance(point, list) and len(point) == 2 for point in points):
        raise ValueError("points that are not pairs")
    return [side for point in points for side in point]


FORMATS: tuple[Format, ...] = (
    Format(
        name="reasonseg",
        link="https://github.com/dvlab-research/LISA#dataset",
        layout="train/*.jpg and *.json, explanatory/train.json if there are explanations",
        tasks=(Task.REASONING,),
        read=_read,
    ),
)
