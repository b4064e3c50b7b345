"""All benchmarks by name: how one is opened, and how predictions about it are read and written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from engine.errors import UsageError
from trainer.benchmarks.benchmark import Benchmark
from trainer.benchmarks.grounded import GroundedCaptions
from trainer.benchmarks.left_out import fitting
from trainer.benchmarks.maps import Maps
from trainer.benchmarks.masks import Expressions
from trainer.benchmarks.photos import open_photos
from trainer.benchmarks.predictions import Found, captions, grounded, items, maps
from trainer.benchmarks.sets.coco_panoptic import open_panoptic
from trainer.benchmarks.sets.described import open_captions
from trainer.benchmarks.sets.expressions import open_expressions
from trainer.benchmarks.sets.official import open_grounded
from trainer.benchmarks.sets.reasoning import open_reasoning
from trainer.benchmarks.texts import Captions
from trainer.data.formats.base import Skipped
from trainer.metrics.mgsc import Prediction


@dataclass(frozen=True, slots=True)
class Selection:
    """Which questions.

    Attributes:
        benchmark: its name.
        dataset: which of its sets, empty where it has one.
        task: which question, for `photos`.
        split: which part.
        data: where the set lies; None where the predictions hold the truth too.
        images: folder of the photographs, where they are not with the data.
        predictions: a file or folder with the answers, if there is one.
        limit: only the first so many questions.
    """

    benchmark: str
    dataset: str
    split: str
    data: Path | None
    images: Path | None = None
    predictions: Path | None = None
    limit: int | None = None
    task: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """A benchmark that is ready.

    Attributes:
        benchmark: questions and their truth.
        read: reads predictions.
        write: writes answers into a folder, in the official layout.
        recognise: makes a model's answer one that can be scored.
        baseline: answers that take no look at the photographs, for comparison.
        left_out: what of the set can't be scored.
    """

    benchmark: Benchmark
    read: Callable[[Path], Found]
    write: Callable[[Path, Mapping[str, Prediction]], None]
    recognise: Callable[[Prediction], Prediction] = lambda answer: answer
    baseline: Mapping[str, Prediction] | None = None
    left_out: Skipped = field(default_factory=Skipped)


def open_benchmark(chosen: Selection) -> Opened:
    """Read the questions and their truth.

    Raises:
        UsageError: if the data can't be read; says what is wrong.
    """
    name, data, split, limit = chosen.benchmark, chosen.data, chosen.split, chosen.limit
    skipped = Skipped()
    if data is None:
        return _from_predictions(chosen)
    if name in ("mgsc", "gcg"):
        return _grounded(fitting(open_grounded(data, split, chosen.images, limit), skipped, data), skipped)
    if name in ("refer", "grefer"):
        found = open_expressions(data, chosen.dataset or "grefcoco", split, chosen.images, limit, skipped)
        return _expressions(fitting(found, skipped, data), skipped)
    if name == "reason":
        found = open_reasoning(data, chosen.dataset, split, chosen.images, limit, skipped)
        return _expressions(fitting(found, skipped, data), skipped)
    if name in ("caption", "region"):
        return _captions(open_captions(data, chosen.dataset, split, chosen.images, limit))
    if name == "panoptic":
        instances = chosen.predictions is None or maps.has_instances(chosen.predictions)
        shown = open_panoptic(data, split, chosen.images, limit, instances=instances)
        return _maps(fitting(shown, skipped, data), skipped)
    composed, baseline = open_photos(data, chosen.task, chosen.dataset, split, limit)
    if not composed.questions:
        raise UsageError(f"{data}: no question can be asked: the split {split} is empty")
    opened = _grounded(composed, skipped) if isinstance(composed, GroundedCaptions) else _expressions(composed, skipped)
    return replace(opened, baseline=baseline)


def _from_predictions(chosen: Selection) -> Opened:
    if chosen.predictions is None or chosen.benchmark not in ("refer", "grefer", "reason"):
        raise UsageError("say with --data where the data set lies")
    return _expressions(
        items.read_truth(chosen.predictions, empty_targets=chosen.benchmark == "grefer", limit=chosen.limit), Skipped()
    )


def _grounded(benchmark: GroundedCaptions, skipped: Skipped) -> Opened:
    def write(folder: Path, answers: Mapping[str, Prediction]) -> None:
        grounded.write(folder, answers.values())

    return Opened(benchmark, partial(grounded.read, benchmark=benchmark), write, left_out=skipped)


def _expressions(benchmark: Expressions, skipped: Skipped) -> Opened:
    read, write = partial(items.read, benchmark=benchmark), partial(items.write, benchmark=benchmark)
    return Opened(benchmark, read, write, left_out=skipped)


def _captions(benchmark: Captions) -> Opened:
    def write(folder: Path, answers: Mapping[str, Prediction]) -> None:
        captions.write(folder, answers.values())

    return Opened(benchmark, captions.read, write)


def _maps(benchmark: Maps, skipped: Skipped) -> Opened:
    questions, categories = benchmark.questions, benchmark.categories
    return Opened(
        benchmark,
        partial(maps.read, questions=questions, categories=categories),
        partial(maps.write, questions=questions, categories=categories),
        benchmark.recognise,
        left_out=skipped,
    )
