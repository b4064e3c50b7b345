"""Pictures of answers that scored badly: the truth beside the answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.errors import MglmmError, PhotographError
from engine.images.decode import decode
from engine.masks import rle
from engine.records import RLE, Mask, PhotoRecord, SegCap
from engine.text.grammar import parse
from exporters.overlay import write_overlay
from trainer.benchmarks.benchmark import Benchmark, Question, Report
from trainer.metrics.mgsc import Prediction

_UNSAFE = re.compile(r"[^\w.+-]+")


def write_worst(
    folder: Path, count: int, benchmark: Benchmark, answers: Mapping[str, Prediction], report: Report
) -> list[Path]:
    """Draw the questions with the lowest scores.

    Args:
        folder: gets `001_<question>.jpg`, the worst first.
        count: at most so many.
        benchmark: the questions.
        answers: what was scored.
        report: their scores.

    Returns:
        the files.

    Raises:
        MglmmError: if a photograph can't be read.
    """
    questions = {question.id: question for question in benchmark.questions}
    written = []
    for place, name in enumerate(report.worst(count), start=1):
        question = questions[name]
        path = folder / f"{place:03}_{_UNSAFE.sub('_', name)}.jpg"
        answer = answers.get(name, Prediction(name, None, (), ()))
        value, weight = report.items[name][report.worst_by]
        titles = ("Truth", f"Answer, {report.worst_by} {100 * value / weight:.1f}")
        _draw(path, question, [benchmark.truth(name), answer], titles)
        written.append(path)
    return written


def _draw(path: Path, question: Question, answers: Sequence[Prediction], titles: Sequence[str]) -> None:
    try:
        image = decode(question.image)
    except PhotographError as error:
        raise MglmmError(f"{question.image}: {error}: --images says where the photographs lie") from None
    height, width = image.shape[:2]
    about = f": {question.about}" if question.about else ""
    cells = tuple(_cell(answer, f"{title}{about}") for answer, title in zip(answers, titles, strict=True))
    try:
        write_overlay(path, image, PhotoRecord(question.id, width, height, cells))
    except ValueError as error:
        raise MglmmError(f"{question.image}: {error}") from None


def _cell(answer: Prediction, title: str) -> SegCap:
    raw, order = _tagged(answer)
    return SegCap("custom", title, parse(raw), tuple(_mask(answer.masks[place]) for place in order))


def _tagged(answer: Prediction) -> tuple[str, list[int]]:
    """The caption with its phrases marked where they stand, those that stand nowhere behind it; order of the masks."""
    caption = answer.caption or ""
    text, order, behind, at = "", [], "", 0
    for place in range(len(answer.masks)):
        phrase = answer.phrases[place] if place < len(answer.phrases) else ""
        found = caption.casefold().find(phrase.casefold(), at) if phrase else -1
        if found < 0:
            behind += f" <p> {phrase} </p> [SEG]"
            continue
        text += f"{caption[at:found]}<p> {caption[found : found + len(phrase)]} </p> [SEG]"
        at = found + len(phrase)
        order.append(place)
    placed = set(order)
    return f"{text}{caption[at:]}{behind}", order + [n for n in range(len(answer.masks)) if n not in placed]


def _mask(mask: RLE) -> Mask:
    return Mask(mask, rle.area(mask), rle.bbox(mask), 1.0)
