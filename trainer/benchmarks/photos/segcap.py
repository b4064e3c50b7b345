"""Multi-granularity SegCap on annotated photographs, by the official MGSC protocol.

The truth is composed from the annotation (`trainer.data.compose.reference`): no set links phrases to masks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from engine.errors import UsageError
from engine.masks import rle
from engine.pipeline.pipeline import Options
from engine.records import RLE
from engine.text.grammar import parse
from engine.text.prompts import Task
from trainer.benchmarks.benchmark import Question
from trainer.benchmarks.photos.captions import PhotoCaptions, Region
from trainer.benchmarks.photos.constant import most_frequent
from trainer.benchmarks.photos.folders import open_split
from trainer.benchmarks.photos.names import Names
from trainer.data.compose import Conversation, reference, reference_labels
from trainer.data.compose.kinds import KINDS
from trainer.data.folders import Folder, Item
from trainer.data.scene import Scene
from trainer.metrics.mgsc import GroundTruth, Prediction

TASKS = {"panoptic": Task.PANOPTIC_SEGCAP, "fine": Task.FINE_SEGCAP}
_TOGETHER = {"ccp": "person"}
"""What all that a set annotates of a photograph makes up, which is no class of it."""
_CHILDREN = {"panoptic": Options().max_children, "fine": 0}
_BASELINE_PHOTOGRAPHS = 400


def open_segcap(
    data: Path, dataset: str, split: str, task: str, limit: int | None
) -> tuple[PhotoCaptions, Mapping[str, Prediction]]:
    """The photographs of a set, and the constant baseline, which is fitted to its split `train`.

    Raises:
        UsageError: if the set is not there or has no truth for the task.
    """
    folder = open_split(data, dataset, split, limit)
    asked = TASKS[task]
    about = KINDS[folder.kind].subject if asked == Task.FINE_SEGCAP else ""
    questions: list[Question] = []
    truths: list[GroundTruth] = []
    regions: list[tuple[Region, ...]] = []
    for item, scene, entry in _references(folder, asked):
        masks = tuple(_encode(mask) for mask in entry.known_masks)
        questions.append(Question(item.name, item.image, asked, about, children=_CHILDREN[task]))
        truths.append(GroundTruth(item.name, parse(entry.answer).caption, reference_labels(entry), masks))
        regions.append(_regions(scene, _TOGETHER.get(dataset)))
    if not truths:
        raise UsageError(f"{dataset}/{split} has no annotation for the {task} question")
    train = open_split(data, dataset, "train", _BASELINE_PHOTOGRAPHS)
    constant = most_frequent(entry for _, _, entry in _references(train, asked))
    baseline = {
        truth.image_id: Prediction(
            truth.image_id,
            constant.caption,
            constant.phrases,
            constant.masks(truth.masks[0].height, truth.masks[0].width),
        )
        for truth in truths
    }
    classes = {*folder.classes, *(region.label for found in regions for region in found)}
    return PhotoCaptions(questions, truths, regions, Names.of(dataset, classes)), baseline


def _regions(scene: Scene, together: str | None) -> tuple[Region, ...]:
    named = [(thing.label, thing.mask) for thing in scene.things]
    if together and named:
        named.append((together, np.logical_or.reduce([mask for _, mask in named])))
    return tuple(Region(label, _encode(mask), int(mask.sum())) for label, mask in named)


def _references(folder: Folder, task: Task) -> Iterator[tuple[Item, Scene, Conversation]]:
    for item in folder.items:
        scene = folder.load(item)
        entry = reference(scene, task)
        if entry is not None:
            yield item, scene, entry


def _encode(mask: np.ndarray) -> RLE:
    return rle.encode(mask[None])[0]
