"""A page of answers that scored badly: each beside the truth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from engine.errors import MglmmError, PhotographError
from engine.images.decode import upright_size
from engine.masks import rle
from engine.records import RLE, Mask, PhotoRecord, SegCap
from engine.text.grammar import parse
from engine.text.names import to_text
from exporters.report.entries import Entry
from exporters.report.writer import Run, Written, write_report
from trainer.benchmarks.benchmark import Benchmark, Question, Report, Size
from trainer.metrics.mgsc import Prediction


def write_worst(
    folder: Path,
    title: str,
    key: str,
    count: int,
    benchmark: Benchmark,
    answers: Mapping[str, Prediction],
    report: Report,
) -> Written:
    """Write the page of the questions with the lowest scores, the worst first.

    Args:
        folder: gets the page, see `exporters.report.writer.check_folder`.
        title: of the page.
        key: the same for the same answers.
        count: at most so many.
        benchmark: the questions.
        answers: what was scored.
        report: their scores.

    Raises:
        UsageError: if something else is in the folder.
        MglmmError: if it can't be written.
    """
    runs = (Run("Answer", key), Run("Truth", key))
    try:
        return write_report(folder, title, runs, _entries(count, benchmark, answers, report))
    except OSError as error:
        raise MglmmError(f"{folder}: the page can't be written ({(error.strerror or str(error)).lower()})") from error


def _entries(count: int, benchmark: Benchmark, answers: Mapping[str, Prediction], report: Report) -> Iterator[Entry]:
    questions = {question.id: question for question in benchmark.questions}
    for name in report.worst(count):
        question = questions[name]
        answer = answers.get(name, Prediction(name, None, (), ()))
        truth = benchmark.truth(name)
        height, width = benchmark.frame(name) or _size(question, (answer, truth))
        about = question.about or question.task.value.replace("_", " ")
        outcomes = tuple(PhotoRecord(to_text(name), width, height, (_segcap(said, about),)) for said in (answer, truth))
        value, weight = report.items[name][report.worst_by]
        note = f"{report.worst_by} {100 * value / weight:.1f}"
        yield Entry(to_text(name), question.image, outcomes, note=note)


def _size(question: Question, said: Sequence[Prediction]) -> Size:
    """The photograph's, where no mask is in the truth."""
    try:
        return upright_size(question.image)
    except PhotographError:
        # It can't be shown; the page says so.
        masks = (mask for one in said for mask in one.masks)
        return next(((mask.height, mask.width) for mask in masks), (1, 1))


def _segcap(said: Prediction, about: str) -> SegCap:
    raw, order = _tagged(said)
    answer = parse(raw)
    if said.name_scores:
        scored = (
            replace(phrase, name_score=said.name_scores[order[phrase.segs[0]]] if phrase.segs else None)
            for phrase in answer.phrases
        )
        answer = replace(answer, phrases=tuple(scored))
    return SegCap("custom", about, answer, tuple(_mask(said.masks[place]) for place in order))


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
    return Mask(mask, rle.area(mask), rle.bbox(mask), math.nan)  # nobody says how sure it is
