"""MGSC and GCG: a folder with `{image_id}.json` for each image, `{image_id, caption, phrases, pred_masks}`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from engine.errors import UsageError
from trainer.benchmarks.benchmark import Question
from trainer.benchmarks.predictions import Found
from trainer.metrics.mgsc import Prediction
from trainer.metrics.official_files import read_predictions, write_prediction


def read(path: Path, questions: Sequence[Question]) -> Found:
    """Read the predictions of these questions.

    Raises:
        UsageError: if the folder or a file of it can't be read.
    """
    if not path.is_dir():
        raise UsageError(f"{path}: predictions of captions with masks are a folder with a file per image")
    wanted = {f"{question.id}.json" for question in questions}
    others = sorted(entry.name for entry in path.glob("*.json") if entry.name not in wanted)
    notes = (f"{len(others)} files about nothing in this set, such as {others[0]}, were passed over",) if others else ()
    answers = read_predictions(path, [question.id for question in questions], missing_ok=True)
    if not answers:
        raise UsageError(f"{path}: no prediction of this set: there is no {questions[0].id}.json")
    return Found({answer.image_id: answer for answer in answers}, notes)


def write(folder: Path, answers: Iterable[Prediction]) -> None:
    """Write a file per answer."""
    folder.mkdir(parents=True, exist_ok=True)
    for answer in answers:
        write_prediction(folder, answer)
