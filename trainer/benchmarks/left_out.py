"""Questions that can't be scored: left out, counted and named, so that one bad entry doesn't cost the whole set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from engine.errors import PhotographError, UsageError
from engine.images.header import read_header
from trainer.benchmarks.benchmark import Benchmark, Report
from trainer.data.formats.base import Skipped
from trainer.data.formats.photographs import Photographs

_Benchmark = TypeVar("_Benchmark", bound=Benchmark)


def fitting(benchmark: _Benchmark, skipped: Skipped, where: Path | None) -> _Benchmark:
    """The questions whose photograph has the size of their truth; one that is not there, or damaged, is not asked for.

    Args:
        benchmark: any.
        skipped: gets the others; may hold some already.
        where: the set, for messages.

    Raises:
        UsageError: if no question is left.
    """
    folders: dict[Path, Photographs] = {}
    there: dict[Path, bool] = {}
    others = set()
    for question in benchmark.questions:
        path = question.image
        if path not in there:
            there[path] = _is_readable(path)
        if there[path] and (frame := benchmark.frame(question.id)):
            finder = folders.setdefault(path.parent, Photographs(path.parent, skipped))
            if finder.find("", path.name, f"question {question.id!r}", size=frame) is None:
                others.add(question.id)
    kept = benchmark.without(others) if others else benchmark
    if not kept.questions:
        reasons = "; ".join(notes(skipped)) or "the split is empty"
        raise UsageError(f"{where}: no question can be asked: {reasons}")
    return kept


def noted(report: Report, skipped: Skipped) -> Report:
    """The report with what was left out among its counts and notes."""
    counts = {**report.counts, "left out": skipped.total} if skipped.total else report.counts
    return replace(report, counts=counts, notes=(*report.notes, *notes(skipped)))


def notes(skipped: Skipped) -> list[str]:
    """What was left out, and what may not be as it should, a line for each reason."""
    left_out = [f"{count} left out: {reason}, such as {places[0]}" for reason, count, places in skipped.reasons()]
    return left_out + [f"{count} used: {remark}, such as {places[0]}" for remark, count, places in skipped.remarks()]


def _is_readable(path: Path) -> bool:
    try:
        read_header(path)
    except PhotographError:  # told when its pixels are needed
        return False
    return True
