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
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import UsageError
from engine.json_file import read_json
from engine.masks.rle import decode, encode
from engine.records import RLE
from engine.text.prompts import Families, Task
from trainer.data.formats.asking import Questions, Target
from trainer.data.formats.base import Format, Skipped
from trainer.data.formats.photographs import Photograph, Photographs
from trainer.data.formats.polygons import Note, ignore, polygons_to_rle
from trainer.data.formats.reading import field, flag, json_list, skipping, texts, visible
from trainer.data.record import Record

_ANSWER = "the target"


def _read(source: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    explanations = _explanations(source / "explanatory" / "train.json", skipped)
    questions, photographs = Questions(families, skipped), Photographs(source, skipped)
    folder = source / "train"
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder")
    for path in sorted(folder.glob("*.json")):
        entry = read_json(path, encoding="cp1252")
        with skipping(skipped, path.name):
            name = path.with_suffix(".jpg").name
            photograph = photographs.find("train", name, path.name, size=(None, None))
            if photograph:
                note = partial(skipped.remark, path.name)
                yield from _ask(photograph, entry, explanations.get(name, ("", "")), path.name, questions, note)


def _explanations(path: Path, skipped: Skipped) -> dict[str, tuple[str, str]]:
    """Query and explanation of photographs; none where the file is not there."""
    found = {}
    for index, item in enumerate(json_list(path) if path.is_file() else []):
        with skipping(skipped, f"explanatory/{path.name}: entry {index}"):
            found[field(item, "image", str)] = field(item, "query", str), field(item, "outputs", str)
    return found


def _ask(
    photograph: Photograph, entry: Any, explanation: tuple[str, str], where: str, questions: Questions, note: Note
) -> Iterator[Record]:
    target, _ = regions(field(entry, "shapes", list), photograph.height, photograph.width, note)
    mask = visible(target)
    asked = texts(entry, "text")
    if not flag(entry, "is_sentence"):
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


def regions(shapes: list[Any], height: int, width: int, note: Note = ignore) -> tuple[RLE, RLE]:
    """The target and the undecided pixels of the shapes of a photograph; either may be empty.

    Args:
        note: told why a shape is left out.

    Raises:
        ValueError: if they are not shapes of a file of ReasonSeg, or none of them is good.
    """
    drawn: list[tuple[np.ndarray, bool]] = []
    faults: list[str] = []
    for shape in shapes:
        label = field(shape, "label", str).lower()
        if label != "flag":
            polygon = _polygon(field(shape, "points", list))
            try:
                drawn.append((decode(polygons_to_rle([polygon], height, width)), "ignore" not in label))
            except ValueError as error:
                faults.append(str(error))
    if faults and not drawn:
        raise ValueError(faults[0])
    for fault in faults:
        note(f"{fault}; the other shapes are used")
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
