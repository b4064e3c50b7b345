"""Sa2VA's two lines on the GPU: their answers, and how fast they come beside the way the public code runs.

The small members must give the answers of that loop in float32. Those of full size run in the precision that the
program chooses for them; their weights are drawn, and where a `[SEG]` stands is imposed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.gpu_parts.agreement import example_sources
from benchmarks.gpu_parts.plan import Plan
from benchmarks.gpu_parts.running import Notes
from benchmarks.gpu_parts.tools import exact, forget
from engine.bench import Baseline, Report, bench
from engine.bench import Plan as BenchPlan
from engine.model.checkpoint import Checkpoint, load
from engine.model.precision import Precision
from engine.pipeline.pipeline import Options

_PIXELS = 0.999
"""Share of the pixels of masks that must be the same."""
_FIRST = 25.0
"""Seconds without which no measurement is begun."""


def run(plan: Plan, notes: Notes, earlier: Mapping[str, Any]) -> None:
    """See `Part`."""
    exact()
    for name in plan.sa2va_small:
        with notes.step(name):
            checkpoint = load(name, precision=Precision.FLOAT32, device=plan.device)
            found = _measured(plan, checkpoint, plan.sa2va_every[-1]).baselines[Baseline.SA2VA.value].agreement
            line = f"{found.same_texts} of {found.texts} texts, {found.mask_agreement:.4%} of pixels"
            right = found.same_text and found.mask_agreement is not None and found.mask_agreement >= _PIXELS
            notes.check(name, right, f"{line} are those of the loop")
    for name in plan.sa2va:
        with notes.step(name):
            notes.enough(_FIRST)
            checkpoint = load(name, precision=None, device=plan.device)
            notes.figure(f"{name}: precision", checkpoint.precision.value)
            for every in plan.sa2va_every:
                notes.enough(_FIRST)
                _note(notes, f"{name}, a mask every {every} tokens", _measured(plan, checkpoint, every))
            forget(checkpoint.device)


def _measured(plan: Plan, checkpoint: Checkpoint, every: int) -> Report:
    """The engine after a whole batch to warm up, and the loop that Sa2VA's public code is."""
    options = Options(
        granularity="panoptic",
        batch_size=plan.sa2va_batch,
        max_new_tokens=plan.tokens,
        forced=True,
        seg_every=every,
        decoder="torch",
    )
    sources = example_sources(plan, plan.sa2va_batch * plan.rounds)
    measured = BenchPlan(options, (Baseline.SA2VA,), baseline_limit=plan.public, warm_up=plan.sa2va_batch)
    return bench(lambda: checkpoint, sources, measured, lambda line: None)


def _note(notes: Notes, name: str, report: Report) -> None:
    loop = report.baselines[Baseline.SA2VA.value]
    ratio = report.ratio[Baseline.SA2VA.value]
    figures = {
        "images_per_second": report.images_per_second,
        "loop": loop.images_per_second,
        "ratio": ratio,
        "masks": report.masks,
        "outside_share": report.outside_share,
        "peak_bytes": report.peak_memory,
        "stages": {stage: {"seconds": one.seconds, "count": one.count} for stage, one in report.stages.items()},
    }
    notes.figure(name, figures)
    line = f"{report.images_per_second:.2f} photographs a second, {ratio:.1f} times the loop's"
    notes.check(name, not report.failed, line)
