"""The cache of slots."""

from __future__ import annotations

import torch

from engine.doctor.memory import living_bytes
from engine.model.checkpoint import Checkpoint
from engine.model.llama import SlotCache


def test_what_is_in_a_cache_stays_when_it_grows(tiny: Checkpoint) -> None:
    cache = SlotCache(tiny.model.language_model, 2)
    cache.reserve(10)
    before, length = [tensor.normal_().clone() for pair in cache.layers for tensor in pair], cache.length
    cache.reserve(length)
    assert (cache.growth, cache.length) == (1, length)
    cache.reserve(length + 1)
    assert cache.growth == 2 and cache.length > length
    for tensor, old in zip([tensor for pair in cache.layers for tensor in pair], before, strict=True):
        assert torch.equal(tensor[:, :, :length], old)
        assert not tensor[:, :, length:].any()


def test_a_cache_never_lies_in_memory_twice_while_it_grows(tiny: Checkpoint) -> None:
    def grown() -> None:
        cache = SlotCache(tiny.model.language_model, 2)
        cache.reserve(640)
        cache.reserve(641)

    layers = len(tiny.model.language_model.model.layers)
    grown_size = living_bytes(lambda: SlotCache(tiny.model.language_model, 2).reserve(704), ())
    # One layer of the old length beside all of the new.
    assert living_bytes(grown, ()) <= grown_size * (1 + 1 / layers)
