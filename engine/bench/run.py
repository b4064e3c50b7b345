"""The measurement: load, warm up, run the engine over all photographs, then the baselines over the first ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch

from engine.bench import machine
from engine.bench.agreement import compare
from engine.bench.baseline import Baseline, PlainLoop
from engine.bench.generous import GenerousLoop
from engine.bench.public import PublicLoop
from engine.bench.report import BaselineRun, Report, StageTime
from engine.bench.roofline import roofline_share
from engine.bench.sa2va import Sa2vaLoop
from engine.errors import UsageError
from engine.images.sources import Source
from engine.model.checkpoint import Checkpoint
from engine.pipeline.pipeline import Options, Pipeline
from engine.records import Failure, PhotoRecord
from engine.timing import Stages

_LOOPS: dict[Baseline, type[PlainLoop]] = {
    Baseline.PUBLIC: PublicLoop,
    Baseline.GENEROUS: GenerousLoop,
    Baseline.SA2VA: Sa2vaLoop,
}
_WARM_UP_TOKENS = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured.

    Attributes:
        options: of the engine.
        baselines: what it is compared with.
        baseline_limit: a baseline gets the first so many photographs.
        warm_up: photographs done before anything is timed; a CUDA device records a step for each number of answers
            that it meets, so as many as are then written together.
    """

    options: Options
    baselines: tuple[Baseline, ...] = ()
    baseline_limit: int = 8
    warm_up: int = 1


def bench(load: Callable[[], Checkpoint], sources: Sequence[Source], plan: Plan, note: Callable[[str], None]) -> Report:
    """Measure.

    Args:
        load: opens the model; it is timed.
        sources: the photographs.
        plan: what is done with them.
        note: is told in a line what begins.

    Raises:
        UsageError: if no photograph can be done.
    """
    note("loading the model")
    start = time.perf_counter()
    checkpoint = load()
    stages = Stages(checkpoint.device)
    pipeline = Pipeline(checkpoint, plan.options, stages)
    load_seconds = time.perf_counter() - start
    first = _warm_up(pipeline, sources, plan.warm_up)
    stages.forget()
    note(f"engine: {_photographs(len(sources))}")
    run = _run_engine(pipeline, sources, checkpoint.device, plan.baseline_limit)
    steps = stages.blocks["decode_tokens"]  # each is one measured block
    baselines = {}
    for baseline in dict.fromkeys(plan.baselines):
        note(f"baseline {baseline}: {_photographs(len(run.first))}")
        # To warm up, a few tokens do, one of them with a mask; a whole answer may take minutes here.
        short = replace(plan.options, max_new_tokens=_WARM_UP_TOKENS, seg_every=plan.options.seg_every and 2)
        _LOOPS[baseline](checkpoint, short).run(first)
        baselines[baseline.value] = _run_baseline(_LOOPS[baseline](checkpoint, plan.options), run.first)
    return Report(
        model=checkpoint.name,
        sha256=checkpoint.sha256,
        precision=checkpoint.precision.value,
        device=str(checkpoint.device),
        hardware=machine.device_name(checkpoint.device),
        threads=torch.get_num_threads(),
        versions=machine.versions(),
        options=plan.options,
        load_seconds=load_seconds,
        images=run.images,
        failed=run.failed,
        megapixels=run.pixels / 1e6,
        questions=run.questions,
        # A prompt's pass chooses a token too.
        tokens=stages.counts["prefill"] + stages.counts["decode_tokens"],
        masks=run.masks,
        seconds=run.seconds,
        stages={name: StageTime(seconds, stages.counts[name]) for name, seconds in stages.seconds.items()},
        steps=steps,
        peak_memory=run.peak_memory,
        roofline_share=roofline_share(
            checkpoint.model.language_model, checkpoint.device, steps, stages.seconds["decode_tokens"]
        ),
        baselines=baselines,
    )


@dataclass(slots=True)
class _EngineRun:
    """Counts of the engine's run, and its records of the first photographs."""

    seconds: float = 0.0
    images: int = 0
    failed: int = 0
    pixels: int = 0
    questions: int = 0
    masks: int = 0
    peak_memory: int | None = None
    first: list[tuple[Source, PhotoRecord]] = field(default_factory=list)


def _warm_up(pipeline: Pipeline, sources: Sequence[Source], together: int) -> Source:
    """Do the first photographs, until one could be done; returns the first that could."""
    reasons = []
    for start in range(0, len(sources), together):
        done = []
        for source, outcome in pipeline.run(sources[start : start + together]):
            if isinstance(outcome, PhotoRecord):
                done.append(source)
            else:
                reasons.append(f": {outcome.file_name}: {outcome.stage}: {outcome.reason}")
        if done:
            return done[0]
    raise UsageError("no photograph can be done, so there is nothing to measure" + "".join(reasons[:1]))


def _run_engine(pipeline: Pipeline, sources: Sequence[Source], device: torch.device, keep: int) -> _EngineRun:
    run = _EngineRun()
    machine.forget_peak(device)
    start = time.perf_counter()
    for source, outcome in pipeline.run(sources):
        if isinstance(outcome, Failure):
            run.failed += 1
            continue
        run.images += 1
        run.pixels += outcome.width * outcome.height
        run.questions += len(outcome.segcaps)
        run.masks += sum(len(segcap.masks) for segcap in outcome.segcaps)
        if len(run.first) < keep:
            run.first.append((source, outcome))
    run.seconds = time.perf_counter() - start
    run.peak_memory = machine.peak_memory(device)
    return run


def _run_baseline(loop: PlainLoop, done: Sequence[tuple[Source, PhotoRecord]]) -> BaselineRun:
    start = time.perf_counter()
    found = [loop.run(source) for source, _ in done]
    seconds = time.perf_counter() - start
    return BaselineRun(
        images=len(found),
        seconds=seconds,
        tokens=sum(one.tokens for one in found),
        masks=sum(len(segcap.masks) for one in found for segcap in one.record.segcaps),
        agreement=compare((record, one.record) for (_, record), one in zip(done, found, strict=True)),
    )


def _photographs(count: int) -> str:
    return f"{count} photograph{'' if count == 1 else 's'}"
