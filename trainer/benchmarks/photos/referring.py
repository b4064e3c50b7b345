"""Referring segmentation of the one person of a photograph, and empty targets.

* Group `person`: "the person", on photographs of `coco` with exactly one annotated person.
* A group for each set: per photograph one class that is surely absent and one that is there once, both drawn by how
  often the classes occur, so that a name does not tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from engine.masks import rle
from engine.records import RLE
from engine.text.prompts import Task
from trainer.benchmarks.benchmark import Question
from trainer.benchmarks.masks import Expressions, Target
from trainer.benchmarks.photos.folders import open_split
from trainer.data.compose.denial import draw_absent
from trainer.data.compose.nouns import noun
from trainer.data.compose.view import View
from trainer.data.folders import Folder, Item
from trainer.metrics.mgsc import Prediction

_SETS = ("coco", "ccp", "camvid", "voc", "carparts")
_SMALLEST = 0.003
"""A thing under this share of the frame is not asked for; descriptions do not name it either."""

_Asked = tuple[Item, str, Target, RLE]
"""Photograph, class, what it means, the whole frame."""


def open_referring(data: Path, split: str, limit: int | None) -> tuple[Expressions, Mapping[str, Prediction]]:
    """The questions, and the answers of a baseline that takes the whole frame for everything.

    Raises:
        UsageError: if a set is not there.
    """
    questions: list[Question] = []
    targets: dict[str, Target] = {}
    baseline: dict[str, Prediction] = {}

    def add(group: str, asked: Iterator[_Asked]) -> None:
        for item, label, target, frame in asked:
            about = f"the {noun(label).singular}"
            name = f"{group}/{item.name}: {about}"
            questions.append(Question(name, item.image, Task.REFERRING, about))
            targets[name] = target
            baseline[name] = Prediction(name, None, (about,), (frame,))

    add("person", _persons(open_split(data, "coco", split, limit)))
    for kind in _SETS:
        add(kind, _present_and_absent(open_split(data, kind, split, limit), kind))
    return Expressions(questions, targets, empty_targets=True), baseline


def _persons(folder: Folder) -> Iterator[_Asked]:
    for item in folder.items:
        people = [entry for entry in item.objects if entry.label == "person"]
        if len(people) == 1 and not people[0].crowd:
            (mask,) = (thing.mask for thing in folder.load(item).things if thing.label == "person")
            yield item, "person", Target((_encode(mask),), group="person"), _encode(np.ones_like(mask))


def _present_and_absent(folder: Folder, kind: str) -> Iterator[_Asked]:
    rng = np.random.default_rng(0)
    for item in folder.items:
        scene = folder.load(item)
        view = View(scene)
        frame = _encode(np.ones(scene.image.shape[:2], bool))
        single = [
            label
            for label in view.labels
            if len(view.members(label)) == 1 and view.certain(label) and view.members(label)[0].mean() >= _SMALLEST
        ]
        if single:
            label = single[int(rng.integers(len(single)))]
            yield item, label, Target((_encode(view.members(label)[0]),), group=kind), frame
        absent = draw_absent(view, rng)
        if absent is not None:
            yield item, absent, Target((), group=kind), frame


def _encode(mask: np.ndarray) -> RLE:
    return rle.encode(mask[None])[0]
