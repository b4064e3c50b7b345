"""MGSC and GCG: a folder with `{image_id}.json` for each image, `{image_id, caption, phrases, pred_masks}`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.errors import UsageError
from trainer.benchmarks.benchmark import Benchmark
from trainer.benchmarks.official_files import read_predictions, write_prediction
from trainer.benchmarks.predictions import Found, check_sizes
from trainer.metrics.mgsc import Prediction


def read(path: Path, benchmark: Benchmark) -> Found:
    """Read the predictions of a benchmark's questions.

    Raises:
        UsageError: if the folder or a file of it can't be read.
    """
    if not path.is_dir():
        raise UsageError(f"{path}: predictions of captions with masks are a folder with a file per image")
    questions = benchmark.questions
    wanted = {f"{question.id}.json" for question in questions}
    others = sorted(entry.name for entry in path.glob("*.json") if entry.name not in wanted)
    notes = (f"{len(others)} files about nothing in this set, such as {others[0]}, were passed over",) if others else ()
    answers = read_predictions(path, [question.id for question in questions], missing_ok=True)
    if not answers:
        raise UsageError(f"{path}: no prediction of this set: there is no {questions[0].id}.json")
    for answer in answers:
        try:
            check_sizes("pred_masks", answer.masks, benchmark.frame(answer.image_id))
        except ValueError as error:
            raise UsageError(f"{path / f'{answer.image_id}.json'}: {error}") from None
    return Found({answer.image_id: answer for answer in answers}, notes)


def write(folder: Path, answers: Iterable[Prediction]) -> None:
    """Write a file per answer."""
    folder.mkdir(parents=True, exist_ok=True)
    for answer in answers:
        write_prediction(folder, answer)
