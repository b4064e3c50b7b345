"""Questions that can't be scored: left out, counted and named, so that one bad entry doesn't cost the whole set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from engine.errors import UsageError
from trainer.benchmarks.benchmark import Benchmark, Report, Size
from trainer.data.formats.base import Skipped
from trainer.data.formats.reading import image_size

_Benchmark = TypeVar("_Benchmark", bound=Benchmark)


def fitting(benchmark: _Benchmark, skipped: Skipped, where: Path | None) -> _Benchmark:
    """The questions whose photograph has the size of their truth; a photograph that is not there is not asked for.

    Args:
        benchmark: any.
        skipped: gets the others; may hold some already.
        where: the set, for messages.

    Raises:
        UsageError: if no question is left.
    """
    sizes: dict[Path, Size | None] = {}
    others = set()
    for question in benchmark.questions:
        if question.image not in sizes:
            sizes[question.image] = _size(question.image)
        found = sizes[question.image]
        if found and (frame := benchmark.frame(question.id)) and found != frame:
            others.add(question.id)
            skipped.add(
                f"question {question.id!r} about {question.image.name}",
                "its photograph has another size than its annotation says",
            )
    kept = benchmark.without(others) if others else benchmark
    if not kept.questions:
        reasons = "; ".join(notes(skipped)) or "the split is empty"
        raise UsageError(f"{where}: no question can be asked: {reasons}")
    return kept


def noted(report: Report, skipped: Skipped) -> Report:
    """The report with what was left out among its counts and notes."""
    if not skipped.total:
        return report
    return replace(report, counts={**report.counts, "left out": skipped.total}, notes=(*report.notes, *notes(skipped)))


def notes(skipped: Skipped) -> list[str]:
    """What was left out, a line for each reason."""
    return [f"{count} left out: {reason}, such as {examples[0]}" for reason, count, examples in skipped.reasons()]


def _size(path: Path) -> Size | None:
    try:
        return image_size(path)
    except UsageError:  # told when it is needed
        return None
