"""How many answers are written together, where nobody says it."""

from __future__ import annotations

import pytest
import torch

from engine.decoding.generator import Sampling
from engine.doctor.memory import living_bytes
from engine.masks.decoder import open_mask_decoder
from engine.model.checkpoint import Checkpoint
from engine.pipeline.answering import Answerer
from engine.pipeline.batch_size import MOST, ON_CPU, batch_size, largest, take_a_token
from engine.pipeline.pipeline import Options, Pipeline


@pytest.mark.parametrize(
    ("budget", "one", "two", "expected"),
    [
        (1000, 100, 190, 11),
        (99, 100, 190, 1),  # not even one may fit, and is tried all the same
        (100, 100, 190, 1),
        (190, 100, 190, 2),
        (10**12, 100, 190, MOST),
        (1000, 100, 100, MOST),  # what the second one adds is lost in rounding
    ],
)
def test_as_many_as_the_memory_holds(budget: int, one: int, two: int, expected: int) -> None:
    assert largest(budget, one, two) == expected


def _answerer(tiny: Checkpoint, slots: int) -> Answerer:
    return Answerer(tiny, open_mask_decoder(tiny, "torch"), Sampling(), 32, slots)


def test_a_cpu_gets_a_fixed_number(tiny: Checkpoint) -> None:
    assert batch_size(tiny.config, torch.device("cpu"), lambda slots: _answerer(tiny, slots)) == ON_CPU
    assert Pipeline(tiny, Options(decoder="torch")).batch_size == ON_CPU
    assert Pipeline(tiny, Options(decoder="torch", batch_size=3)).batch_size == 3


def test_what_a_second_photograph_takes_is_what_a_sixth_does(tiny: Checkpoint) -> None:
    known = [*tiny.model.parameters(), *tiny.model.buffers()]

    def peak(rows: int) -> int:
        return living_bytes(lambda: take_a_token(_answerer(tiny, rows), tiny.config, rows), known)

    one, two, six = peak(1), peak(2), peak(6)
    assert two > one > 0
    assert six == pytest.approx(one + 5 * (two - one), rel=0.02)
    assert largest(six + (two - one) // 2, one, two) == 6
