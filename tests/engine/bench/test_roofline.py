"""Bytes that a decode step reads."""

from __future__ import annotations

import pytest
import torch

from engine.bench.roofline import bandwidth, bytes_per_step, cache_bytes, roofline_share
from engine.model.checkpoint import Checkpoint
from engine.model.llama import SlotCache
from engine.model.mglmm import MGLMM
from engine.model.presets import PRESETS


def test_a_step_reads_all_weights_but_the_input_embeddings() -> None:
    with torch.device("meta"):
        language = MGLMM(PRESETS["bench-768"]).language_model
    everything = sum(tensor.numel() for tensor in language.parameters())
    assert bytes_per_step(language) == 4 * (everything - 32007 * 768)
    assert bytes_per_step(language.bfloat16()) == 2 * (everything - 32007 * 768)


def test_tied_embeddings_are_read_once_as_the_output_layer(tiny: Checkpoint) -> None:
    language = tiny.model.language_model
    assert bytes_per_step(language) == 4 * sum(tensor.numel() for tensor in language.parameters())


def test_keys_and_values_of_a_token(tiny: Checkpoint) -> None:
    cache = SlotCache(tiny.model.language_model, 3)
    cache.reserve(10)
    held = sum(tensor.nbytes for pair in cache.layers for tensor in pair)
    assert 3 * cache.length * cache_bytes(tiny.model.language_model) == held


def test_a_cpu_has_no_known_bandwidth(tiny: Checkpoint) -> None:
    cpu = torch.device("cpu")
    assert bandwidth(cpu) is None
    assert roofline_share(tiny.model.language_model, cpu, 10, 1.0) is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_share_of_a_known_card_is_bytes_over_bandwidth(tiny: Checkpoint) -> None:
    card = torch.device("cuda:0")
    rate = bandwidth(card)
    if rate is None:
        pytest.skip(f"unknown card: {torch.cuda.get_device_name(card)}")
    language = tiny.model.language_model
    assert roofline_share(language, card, 10, 2.0) == pytest.approx(10 * bytes_per_step(language) / rate / 2)
