"""How fast the embedded model is, and whether the public loop gives its answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.gpu_parts.plan import Plan
from benchmarks.gpu_parts.running import Notes
from benchmarks.gpu_parts.speed import Best, Speed
from benchmarks.gpu_parts.tools import exact, forget
from engine.bench import Baseline
from engine.model.checkpoint import load
from engine.model.precision import Precision
from engine.pipeline.pipeline import Options


def run(plan: Plan, notes: Notes, earlier: Mapping[str, Any]) -> None:
    """See `Part`."""
    exact()
    for precision in (Precision.FLOAT32, Precision.BFLOAT16):
        checkpoint = load(plan.embedded, precision=precision, device=plan.device)
        speed = Speed(plan, notes, Best.of(earlier), checkpoint)
        for batch in plan.embedded_batches:
            name = f"{precision}, batch {batch}"
            with notes.step(name):
                # Their answers must agree in float32.
                public = plan.public if precision is Precision.FLOAT32 and batch == plan.embedded_batches[0] else 0
                options = Options(
                    granularity="panoptic",
                    batch_size=batch,
                    max_new_tokens=plan.short,
                    seg_every=plan.seg_every,
                    decoder="torch",
                )
                report = speed.throughput(name, options, public=public)
                if public:
                    found = report.baselines[Baseline.PUBLIC.value].agreement
                    line = f"{found.same_texts} of {found.texts} texts are those of the public loop"
                    notes.check("public loop", found.same_text, line)
        forget(checkpoint.device)
