"""Recorded decode steps against plain ones, token by token, on a model with random weights.

Both get the same tokens, those that the plain steps choose; rows become fewer, cross the round lengths up to which the
cache is read, and once the cache grows, which makes all recordings worthless.

Legend: `B` rows, `D` hidden size, `V` vocabulary.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.gpu_parts.plan import Plan
from benchmarks.gpu_parts.running import Notes
from benchmarks.gpu_parts.tools import apart, exact, forget, place_of
from engine.decoding.row import Sampling
from engine.decoding.step import PlainStep, RecordedStep
from engine.images.transforms import make_views
from engine.masks.decoder import TorchMaskDecoder
from engine.model.checkpoint import Checkpoint, load
from engine.model.llama import SlotCache, forward
from engine.model.precision import Precision
from engine.pipeline.answering import Answerer

_CLOSE = 1e-4
"""How far states may lie apart in float32: other shapes are summed up in another order."""
_NEAR = 0.05
"""The same in half precision."""
_TIE = 1e-3
"""Two logits nearer than this, as a share of the largest, are as likely as each other in float32."""


def run(plan: Plan, notes: Notes, earlier: Mapping[str, Any]) -> None:
    """See `Part`."""
    exact()
    device = place_of(plan)
    for precision in (Precision.FLOAT32, Precision.BFLOAT16, Precision.FLOAT16):
        checkpoint = load(plan.drawn, precision=precision, device=plan.device)
        name = f"recorded steps, {precision}"
        with notes.step(name):
            compare(plan, notes, checkpoint, name)
        if precision is Precision.FLOAT32:
            name = "recorded steps while photographs are copied"
            with notes.step(name), _copying(checkpoint) as alone:
                compare(plan, notes, checkpoint, name, alone)
        del checkpoint
        forget(device)


class _Both:
    """A cache, and a step that runs over it, in each of the two ways."""

    def __init__(self, checkpoint: Checkpoint, rows: int, alone: AbstractContextManager[object]) -> None:
        self.language = checkpoint.model.language_model
        self.caches = [SlotCache(self.language, rows) for _ in range(2)]
        self.plain = PlainStep(self.language, self.caches[0])
        self.recorded = RecordedStep(self.language, self.caches[1], rows, alone)

    def reserve(self, length: int) -> None:
        for cache in self.caches:
            cache.reserve(length)

    def prefill(self, ids: Tensor) -> None:
        """Read the same prompt `(B, T)` into both."""
        embedded = self.language.get_input_embeddings()(ids)
        positions = torch.arange(ids.shape[1], device=ids.device).expand(len(ids), -1)
        for cache in self.caches:
            slots = torch.arange(len(ids), device=ids.device)
            forward(self.language, cache, slots, embedded, positions, ids.shape[1])


@torch.inference_mode()
def compare(
    plan: Plan, notes: Notes, checkpoint: Checkpoint, name: str, alone: AbstractContextManager[object] | None = None
) -> None:
    """Take both ways through the same tokens, and check what they give under a name.

    Args:
        plan: the sizes.
        notes: of the part.
        checkpoint: the model.
        name: of the check.
        alone: what other threads hold while they use the device.
    """
    both = _Both(checkpoint, plan.rows, alone or nullcontext())
    vocabulary: int = both.language.config.vocab_size
    draws = torch.Generator().manual_seed(1)
    longest = 120
    room: int = both.language.config.max_position_embeddings
    longest = min(longest, room // 4)
    both.reserve(longest + plan.steps)
    prompt = torch.randint(0, vocabulary, (plan.rows, longest), generator=draws)
    both.prefill(prompt.to(checkpoint.device))
    # Rows are of different lengths: what stands behind a row's own is written over.
    lengths = [max(1, longest - 9 * row) for row in range(plan.rows)]
    chosen = prompt[:, 0].tolist()
    states = logits = 0.0
    other: list[float] = []
    tokens = 0
    for step in range(plan.steps):
        rows = max(1, plan.rows - step * plan.rows // plan.steps)
        if step == plan.steps // 2:
            both.reserve(min(room, both.caches[0].length + 1))
        positions = [length + step for length in lengths[:rows]]
        right = [tensor.float() for tensor in both.plain(chosen[:rows], positions)]
        found = [tensor.float() for tensor in both.recorded(chosen[:rows], positions)]
        states, logits = max(states, apart(found[0], right[0])), max(logits, apart(found[1], right[1]))
        chosen = right[1].argmax(dim=-1).tolist()
        other += _not_ties(found[1], right[1], chosen)
        tokens += rows
    exactly = checkpoint.precision is Precision.FLOAT32
    bound = _CLOSE if exactly else _NEAR
    line = f"{tokens} tokens, {len(other)} others; states {states:.1g}, logits {logits:.1g} apart (right up to {bound})"
    # In half precision two tokens may be as likely as each other.
    same = not any(gap > _TIE for gap in other) if exactly else True
    notes.check(name, same and states < bound and logits < bound, line)
    notes.figure(name, {"tokens": tokens, "other_tokens": len(other), "states_apart": states, "logits_apart": logits})


def _not_ties(found: Tensor, right: Tensor, chosen: list[int]) -> list[float]:
    """For each row that chose another token: how far that one lies below, as a share of the largest logit."""
    gaps = []
    for row, (token, mine) in enumerate(zip(chosen, found.argmax(dim=-1).tolist(), strict=True)):
        if token != mine:
            largest = float(right[row].abs().max())
            gaps.append(float(right[row, token] - right[row, mine]) / largest)
    return gaps


@contextmanager
def _copying(checkpoint: Checkpoint) -> Iterator[AbstractContextManager[object]]:
    """Threads that copy photographs to the device meanwhile, as those do that read photographs."""
    side = checkpoint.config.pixel_encoder.image_size
    views = make_views(np.zeros((side, side, 3), np.uint8), checkpoint.config)
    answerer = Answerer(checkpoint, TorchMaskDecoder(checkpoint.model.mask_head), Sampling(), 8, 1)
    done = threading.Event()
    failed: list[BaseException] = []

    def copy() -> None:
        try:
            while not done.is_set():
                answerer.upload(views)
                done.wait(0.001)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=copy) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield answerer.generator.alone
    finally:
        done.set()
        for thread in threads:
            thread.join()
    if failed:
        raise failed[0]
