"""One token for every answer in progress: as it comes on the CPU, recorded and replayed on a CUDA device.

A step of a large model is hundreds of small kernels, and to launch them takes a GPU longer than to run them. A CUDA
graph launches them at once, but only with the shapes and addresses with which it was recorded. So rows are filled up to
a power of two, the cache is read up to a round length, and ids and positions are copied to where they were before.

Legend: `B` rows, `D` hidden size, `V` vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel

from engine.model.llama import SlotCache, forward, logits_of

_READ = 128
"""The cache is read up to a multiple of so many tokens."""
_WARM_UP = 2
"""Steps before a recording, in which libraries choose their kernels and take their workspaces."""
_LOOKING = ("dynamic", "longrope")
"""Rotary positions that are worked out anew from the numbers that come in."""


class DecodeStep(Protocol):
    """Reads the last token of the rows in the first `B` slots."""

    def __call__(
        self, ids: Sequence[int], positions: Sequence[int], shifts: Sequence[int] | None = None
    ) -> tuple[Tensor, Tensor]:
        """`B` tokens to states `(B, D)` and logits `(B, V)`; valid until the next call.

        Args:
            ids: of the tokens.
            positions: of each in its slot.
            shifts: what is added to that for its rotary position; None: nothing.
        """
        ...


class PlainStep:
    """Runs the layers on just what is there.

    Args:
        language: the causal LM.
        cache: its first slots are those of the rows.
        normed: whether states are those behind the final norm.
    """

    def __init__(self, language: PreTrainedModel, cache: SlotCache, *, normed: bool = True) -> None:
        self._language, self._cache, self._normed = language, cache, normed
        self._table: Any = language.get_input_embeddings()

    def __call__(
        self, ids: Sequence[int], positions: Sequence[int], shifts: Sequence[int] | None = None
    ) -> tuple[Tensor, Tensor]:
        """See `DecodeStep`."""
        device = self._table.weight.device
        tokens, places, turns = (
            torch.tensor(numbers, device=device)[:, None] for numbers in (ids, positions, _turns(positions, shifts))
        )
        return _step(self._language, self._cache, tokens, places, turns, max(positions) + 1, self._normed)


def is_recordable(language: PreTrainedModel) -> bool:
    """Whether no layer of a language model that is not quantised looks at its numbers."""
    rotary: Any = language.model.rotary_emb
    return not any(kind in rotary.rope_type for kind in _LOOKING)


@dataclass(frozen=True, slots=True)
class _Recording:
    replay: Callable[[], None]
    states: Tensor
    logits: Tensor


class RecordedStep:
    """Runs the layers in a few fixed shapes, each of them recorded once.

    On a CPU nothing can be recorded, and the same fixed shapes are run as they come.

    Args:
        language: the causal LM; its layers must not look at their numbers, as 8-bit layers of bitsandbytes do and those
            do that are not `is_recordable`.
        cache: of `slots` slots; rows that are filled up write to its free slots, where nothing counts.
        slots: most rows.
        alone: is held while a step is recorded: no other thread may use the device then.
        normed: whether states are those behind the final norm.
    """

    def __init__(
        self,
        language: PreTrainedModel,
        cache: SlotCache,
        slots: int,
        alone: AbstractContextManager[object],
        *,
        normed: bool = True,
    ) -> None:
        self._language, self._cache, self._slots, self._normed = language, cache, slots, normed
        table: Any = language.get_input_embeddings()
        self._device: torch.device = table.weight.device
        self._ids = torch.zeros(slots, 1, dtype=torch.long, device=self._device)
        self._positions = torch.zeros_like(self._ids)
        self._turns = torch.zeros_like(self._ids)
        self._recordings: dict[tuple[int, int], _Recording] = {}
        self._growth = cache.growth
        self._recorder = _Recorder(self._device) if self._device.type == "cuda" else None
        self._alone = alone

    def __call__(
        self, ids: Sequence[int], positions: Sequence[int], shifts: Sequence[int] | None = None
    ) -> tuple[Tensor, Tensor]:
        """See `DecodeStep`."""
        if self._growth != self._cache.growth:
            # The cache has moved, and recordings know its old address.
            self._recordings.clear()
            self._growth = self._cache.growth
            if self._recorder is not None:
                self._recorder.forget()
        rows = min(self._slots, 1 << (len(ids) - 1).bit_length())
        seen = min(self._cache.length, -(-(max(positions) + 1) // _READ) * _READ)
        spare = [0] * (rows - len(ids))
        self._ids[:rows].copy_(torch.tensor([*ids, *spare])[:, None])
        self._positions[:rows].copy_(torch.tensor([*positions, *spare])[:, None])
        self._turns[:rows].copy_(torch.tensor([*_turns(positions, shifts), *spare])[:, None])
        if (rows, seen) not in self._recordings:
            with self._alone:
                self._recordings[rows, seen] = self._record(rows, seen)
        recording = self._recordings[rows, seen]
        recording.replay()
        return recording.states[: len(ids)], recording.logits[: len(ids)]

    def _record(self, rows: int, seen: int) -> _Recording:
        def run() -> tuple[Tensor, Tensor]:
            ids, positions, turns = self._ids[:rows], self._positions[:rows], self._turns[:rows]
            return _step(self._language, self._cache, ids, positions, turns, seen, self._normed)

        if self._recorder is not None:
            return self._recorder.record(run)
        states, logits = run()

        def again() -> None:
            for kept, new in zip((states, logits), run(), strict=True):
                kept.copy_(new)

        return _Recording(again, states, logits)


class _Recorder:
    """Records on a stream of its own, always the same one: libraries keep a workspace for each stream they see.

    All recordings share their memory for what is only alive within a step. They never run at the same time, and what a
    step gives is read before the next one.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)
        self.forget()

    def forget(self) -> None:
        """All recordings are gone: memory that belongs to none can't be shared with the next one."""
        self._pool = torch.cuda.graph_pool_handle()

    def record(self, run: Callable[[], tuple[Tensor, Tensor]]) -> _Recording:
        graph = torch.cuda.CUDAGraph()
        # A recording is made on the device that is the current one, which need not be the model's.
        with torch.cuda.device(self._device):
            self._stream.wait_stream(torch.cuda.current_stream())
            try:
                with torch.cuda.stream(self._stream):
                    # To run a step several times writes the same keys and values to the same places.
                    for _ in range(_WARM_UP):
                        run()
                    # What libraries do in threads of their own is not ours to stop.
                    with torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode="thread_local"):
                        states, logits = run()
            except BaseException:
                self.forget()  # it may have been the first
                raise
            torch.cuda.current_stream().wait_stream(self._stream)
        return _Recording(graph.replay, states, logits)


def _turns(positions: Sequence[int], shifts: Sequence[int] | None) -> Sequence[int]:
    """Rotary positions."""
    return positions if shifts is None else [place + shift for place, shift in zip(positions, shifts, strict=True)]


def _step(
    language: PreTrainedModel,
    cache: SlotCache,
    ids: Tensor,
    positions: Tensor,
    turns: Tensor,
    seen: int,
    normed: bool,
) -> tuple[Tensor, Tensor]:
    """Ids, positions and rotary positions `(B, 1)`; the cache is read up to `seen`."""
    embedded = language.get_input_embeddings()(ids)
    rows = slice(0, len(ids))
    states = forward(language, cache, rows, embedded, positions, seen, rotary=turns, normed=normed)[:, -1]
    return states, logits_of(language, states, normed=normed)
