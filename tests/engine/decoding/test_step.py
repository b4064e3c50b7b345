"""The decode step: which models are recorded, and how a recording is made. No GPU is needed: what is asked of it is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.decoding.step import RecordedStep, _Recorder, is_recordable
from engine.model.checkpoint import Checkpoint
from engine.model.language_config import LanguageConfig
from engine.model.llama import SlotCache
from engine.model.mglmm import build_language_model
from tests.engine.tiny import TINY


@pytest.mark.parametrize(
    ("rope", "expected"),
    [
        ({"rope_type": "default", "rope_theta": 1e4}, True),
        ({"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}, True),
        ({"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}, False),
    ],
)
def test_positions_that_depend_on_numbers_are_not_recorded(rope: dict[str, Any], expected: bool) -> None:
    options = {**TINY.language.options, "rope_parameters": rope}
    assert is_recordable(build_language_model(LanguageConfig(options=options))) is expected


class _Card:
    """Takes the place of `torch.cuda`: notes on which device and stream a recording is made, and runs it on the CPU."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[tuple[object, object, str]] = []
        self.inside: list[object] = []
        self.pools = 0
        self.alone: threading.Lock | None = None
        for name in ("Stream", "CUDAGraph", "device", "stream", "graph", "graph_pool_handle", "current_stream"):
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))

    class Stream:
        def __init__(self, device: torch.device) -> None:
            self.device = device

        def wait_stream(self, other: object) -> None:
            pass

    class CUDAGraph:
        def replay(self) -> None:
            pass

    def current_stream(self) -> Stream:
        return self.Stream(torch.device("cuda", 0))

    def graph_pool_handle(self) -> int:
        self.pools += 1
        return self.pools

    @contextmanager
    def device(self, device: torch.device) -> Iterator[None]:
        self.inside.append(device)
        try:
            yield
        finally:
            self.inside.pop()

    @contextmanager
    def stream(self, stream: object) -> Iterator[None]:
        self.inside.append(stream)
        try:
            yield
        finally:
            self.inside.pop()

    @contextmanager
    def graph(self, graph: object, pool: object, stream: object, capture_error_mode: str) -> Iterator[None]:
        assert len(self.inside) == 2 and self.inside[1] is stream
        assert self.alone is None or self.alone.locked()
        self.made.append((pool, stream, capture_error_mode))
        yield


def _recorded(tiny: Checkpoint, slots: int, alone: threading.Lock) -> RecordedStep:
    language = tiny.model.language_model
    cache = SlotCache(language, slots)
    cache.reserve(8)
    step = RecordedStep(language, cache, slots, alone)
    step._recorder = _Recorder(torch.device("cuda", 1))
    return step


@torch.inference_mode()
def test_recordings_are_made_on_the_models_device_and_share_their_memory(
    tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = _Card(monkeypatch)
    alone = threading.Lock()
    step = _recorded(tiny, 4, alone)
    card.alone = alone
    for rows in (1, 2, 3, 4, 3, 1):
        states, logits = step([7] * rows, [0] * rows)
        assert (len(states), len(logits)) == (rows, rows)
    assert len(card.made) == 3  # one, two and four rows
    # Photographs are copied by other threads meanwhile.
    assert {(pool, mode) for pool, _, mode in card.made} == {(1, "thread_local")}
    streams = {id(stream): stream for _, stream, _ in card.made}
    assert [getattr(stream, "device", None) for stream in streams.values()] == [torch.device("cuda", 1)]
    assert not card.inside and not alone.locked()


@torch.inference_mode()
def test_a_recording_that_fails_leaves_nothing_to_the_next(tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    card = _Card(monkeypatch)
    step = _recorded(tiny, 2, threading.Lock())

    def scarce(*_: object, **__: object) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patch:
        patch.setattr("engine.decoding.step.forward", scarce)
        with pytest.raises(torch.OutOfMemoryError):
            step([7], [0])
    step([7], [0])
    assert [pool for pool, _, _ in card.made] == [2]
