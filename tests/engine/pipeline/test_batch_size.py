"""How many answers are written together, where nobody says it."""

from __future__ import annotations

import pytest
import torch

from engine.decoding.row import Sampling
from engine.doctor.memory import living_bytes
from engine.masks.decoder import open_mask_decoder
from engine.model.checkpoint import Checkpoint
from engine.model.pixel_encoder import TOGETHER
from engine.pipeline.answering import Answerer
from engine.pipeline.batch_size import MOST, ON_CPU, Peaks, batch_size, encode_blank, largest, take_a_token
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
    assert largest(budget, Peaks(0, one), Peaks(0, two)) == expected


def test_only_a_few_photographs_are_encoded_at_a_time() -> None:
    one, two = Peaks(100, 10), Peaks(200, 20)
    assert largest(100 * (TOGETHER - 1) + 10 * (TOGETHER - 1), one, two) == TOGETHER - 1
    assert largest(100 * TOGETHER + 10 * 50, one, two) == 50


def _answerer(tiny: Checkpoint, slots: int) -> Answerer:
    return Answerer(tiny, open_mask_decoder(tiny, "torch"), Sampling(), 32, slots)


def test_a_cpu_gets_a_fixed_number(tiny: Checkpoint) -> None:
    assert batch_size(tiny.config, torch.device("cpu"), lambda slots: _answerer(tiny, slots)) == ON_CPU
    assert Pipeline(tiny, Options(decoder="torch")).batch_size == ON_CPU
    assert Pipeline(tiny, Options(decoder="torch", batch_size=3)).batch_size == 3


def test_what_a_second_photograph_takes_is_what_a_sixth_does(tiny: Checkpoint) -> None:
    known = [*tiny.model.parameters(), *tiny.model.buffers()]

    def peaks(rows: int) -> Peaks:
        encoding = living_bytes(lambda: encode_blank(_answerer(tiny, rows), tiny.config, rows), known)
        photographs = encode_blank(_answerer(tiny, rows), tiny.config, rows)
        return Peaks(encoding, living_bytes(lambda: take_a_token(_answerer(tiny, rows), photographs), known))

    one, two, six = peaks(1), peaks(2), peaks(6)
    for name in ("encoding", "answering"):
        first, second, sixth = (getattr(found, name) for found in (one, two, six))
        assert second > first > 0
        assert sixth == pytest.approx(first + 5 * (second - first), rel=0.02)
    more = two.encoding + two.answering - one.encoding - one.answering
    assert largest(six.encoding + six.answering + more // 2, one, two) == 6


def test_more_photographs_than_are_encoded_together(tiny: Checkpoint) -> None:
    known = [*tiny.model.parameters(), *tiny.model.buffers()]

    def encoding(rows: int) -> int:
        return living_bytes(lambda: encode_blank(_answerer(tiny, 1), tiny.config, rows), known)

    added = encoding(2) - encoding(1)
    assert encoding(2 * TOGETHER) - encoding(TOGETHER) < TOGETHER * added / 2
    assert len(encode_blank(_answerer(tiny, 1), tiny.config, 2 * TOGETHER + 1)) == 2 * TOGETHER + 1
