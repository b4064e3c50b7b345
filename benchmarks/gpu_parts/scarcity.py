"""Memory that runs out: the batch is halved, and every answer still comes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.gpu_parts.agreement import example_sources
from benchmarks.gpu_parts.plan import Plan
from benchmarks.gpu_parts.running import LeftOut, Notes
from benchmarks.gpu_parts.tools import exact, forget, place_of
from engine.errors import PhotographError
from engine.images.transforms import Views, read_views
from engine.masks.decoder import TorchMaskDecoder
from engine.model.checkpoint import Checkpoint, load
from engine.pipeline.answering import Answerer
from engine.pipeline.pipeline import Options
from engine.pipeline.scheduling import Opened, Questions, Scheduler
from engine.text.prompts import TEMPLATES

_ROOM = 0.35
"""Of what a whole batch takes beyond a single photograph, so much is left."""

Limit = Callable[[Answerer], AbstractContextManager[object]]
"""What an answerer works under."""


def run(plan: Plan, notes: Notes, earlier: Mapping[str, Any]) -> None:
    """See `Part`."""
    device = place_of(plan)
    if device.type != "cuda":
        raise LeftOut("only a CUDA device's memory can be made scarce")
    exact()

    def scarce(one: int, whole: int) -> Limit:
        return lambda answerer: _at_most(device, int(one + _ROOM * (whole - one)))

    with notes.step("halving"):
        halving(plan, notes, scarce)


@contextmanager
def _at_most(device: torch.device, size: int) -> Iterator[None]:
    """Let this process have so many bytes of the device's memory."""
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(size / total, device)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)


@dataclass(frozen=True, slots=True)
class _Answers:
    """Texts and numbers of masks by photograph, slots at the end, and bytes at the peak."""

    texts: dict[int, list[tuple[str, int]]]
    failed: dict[int, str]
    slots: int
    peak: int


def halving(plan: Plan, notes: Notes, scarce: Callable[[int, int], Limit]) -> None:
    """The same photographs with memory for all, and with too little of it.

    Args:
        plan: the sizes.
        notes: of the part.
        scarce: makes a limit between the bytes of one photograph and those of the whole batch.
    """
    checkpoint = load(plan.embedded, device=plan.device)
    batch = plan.scarce_batch
    views = [read_views(source.path, checkpoint.config) for source in example_sources(plan, batch)]
    alone = _run(plan, checkpoint, views[:1], 1)
    whole = _run(plan, checkpoint, views, batch)
    notes.figure("peaks", {"one": alone.peak, "whole": whole.peak})
    tight = _run(plan, checkpoint, views, batch, scarce(alone.peak, whole.peak))
    same = sum(tight.texts.get(number) == texts for number, texts in whole.texts.items())
    line = f"from {batch} to {tight.slots} answers at a time; {same} of {batch} photographs have the same answers"
    if tight.failed:
        line += f"; {len(tight.failed)} failed: {next(iter(tight.failed.values()))}"
    notes.figure("halving", {"batch": batch, "slots": tight.slots, "same": same, "failed": len(tight.failed)})
    notes.check("halving", tight.slots < batch and same == batch == len(whole.texts), line)


def _run(
    plan: Plan, checkpoint: Checkpoint, views: Sequence[Views], slots: int, limit: Limit | None = None
) -> _Answers:
    device = checkpoint.device
    options = Options(granularity="panoptic", max_new_tokens=plan.short, seg_every=plan.seg_every)
    longest = options.max_new_tokens or checkpoint.config.max_new_tokens
    decoder = TorchMaskDecoder(checkpoint.model.mask_head)
    forget(device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    answerer = Answerer(checkpoint, decoder, options.sampling, longest, slots)
    questions = Questions(options.asked(TEMPLATES[checkpoint.config.template].families))
    scheduler = Scheduler(answerer)
    texts: dict[int, list[tuple[str, int]]] = {}
    failed: dict[int, str] = {}
    with limit(answerer) if limit else nullcontext():
        waiting = deque(Opened(number, view, questions) for number, view in enumerate(views))
        while waiting or scheduler.busy:
            new = [waiting.popleft() for _ in range(min(scheduler.room(), len(waiting)))]
            for number, answers in scheduler.work(new):
                if isinstance(answers, PhotographError):
                    failed[number] = str(answers)
                else:
                    texts[number] = [(answer.answer.raw, len(answer.low_res.logits)) for answer in answers]
    peak = torch.cuda.max_memory_reserved(device) if device.type == "cuda" else 0
    return _Answers(texts, failed, answerer.generator.free, peak)
