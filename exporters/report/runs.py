"""What the page says of a run as a whole."""

from __future__ import annotations

import hashlib

import numpy as np

from engine.journal import Index, dump
from exporters.report.writer import Run

_HASH = 12
"""Digits of a model's hash that people are shown."""
_INNER = frozenset({"forced", "seg_every", "max_pixels"})
"""Options that say nothing of the answers."""
_POINTS = 60
_IN_POINT = 8
"""Photographs behind a point of the speed, on average, at least: they come in batches."""


def run_of(index: Index, title: str) -> Run:
    """A run as its journal tells.

    Args:
        index: the journal.
        title: what the page calls it.
    """
    info = index.start.info if index.start else None
    facts = {"photographs": str(index.done), "failed": str(index.failed)}
    key = [title]
    if info:
        begun = index.first.info.started if index.first else info.started
        facts = {"model": f"{info.model} ({info.model_hash[:_HASH]})", "begun": begun, **facts}
        dropped = _INNER if info.options.get("temperature") else _INNER | {"seed", "temperature"}
        facts |= {
            name.replace("_", " "): str(value)
            for name, value in info.options.items()
            if value is not None and name not in dropped
        }
        key = [info.identity, begun]
    return Run(title, hashlib.sha256(dump(key)).hexdigest()[:16], facts, tuple(_notes(index)), _speed(index))


def _speed(index: Index) -> tuple[tuple[float, float], ...]:
    """Minutes since the first photograph of the last start, and photographs per second up to there."""
    times = np.fromiter(index.times(), float)
    points = min(_POINTS, len(times) // _IN_POINT)
    if points < 2 or not np.ptp(times):
        return ()
    counts, edges = np.histogram(times, points)
    ends = (edges[1:] - edges[0]) / 60
    rates = counts / np.diff(edges)
    return tuple((round(float(end), 3), round(float(rate), 3)) for end, rate in zip(ends, rates, strict=True))


def _notes(index: Index) -> list[str]:
    notes = []
    if not index.finished:
        notes.append(f"the run is not finished; photographs so far: {index.done + index.failed}")
    if index.damaged:
        notes.append(
            f"damaged lines of its journal: {len(index.damaged)}, the first is line {index.damaged[0]}; "
            "their photographs are missing here, and the command that made it does them again"
        )
    if index.unknown:
        notes.append(index.left_aside)
    return notes
