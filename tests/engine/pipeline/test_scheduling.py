"""Continuous batching: answers do not depend on who shares the batch, and nothing is lost when a batch fails."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image

from engine.decoding.generator import Generator
from engine.decoding.row import Generated, Request, Sampling
from engine.decoding.sequence import PromptWriter
from engine.images.sources import Source
from engine.images.transforms import Views
from engine.masks import rle
from engine.model.checkpoint import Checkpoint
from engine.pipeline.answering import Answerer, Draft, Encoded
from engine.pipeline.pipeline import Options, Pipeline
from engine.records import Failure, PhotoRecord
from tests.engine.tiny import leaning_to_seg

QUESTIONS = (
    "x",
    "Segment the dog.",
    "Segment all cups, and say where each of them is.",
    "Describe all the objects in the image comprehensively, with interleaved masks.",
    "Where is it?",
)


@pytest.fixture(scope="module", params=[-1, 0])
def chatty(tiny: Checkpoint, request: pytest.FixtureRequest) -> Checkpoint:
    """The tiny model, saying [SEG] now and then, with either rule for its states."""
    return leaning_to_seg(tiny, request.param)


def _requests(model: Checkpoint, generator: Generator) -> list[Request]:
    """Questions and limits of all lengths about several photographs, some on top of a cached prefix."""
    writer = PromptWriter(model.config, model.tokenizer)
    hidden = model.model.language_model.config.hidden_size
    draws = torch.Generator().manual_seed(5)
    requests: list[Request] = []
    for number in range(3):
        tokens = torch.randn(model.config.global_encoder.tokens, hidden, generator=draws)
        keep = Request(writer.prefix, tokens, writer.question("y"), 1, keep_prefix=True)
        (left,) = _run(generator, [keep], random.Random(0))
        for place, question in enumerate(QUESTIONS):
            cached = left.prefix if place % 2 else None
            limit = 6 + 5 * place + number
            requests.append(Request(writer.prefix, tokens, writer.question(question), limit, cached=cached))
    return requests


def _run(generator: Generator, requests: Sequence[Request], chance: random.Random) -> list[Generated]:
    """Answers to requests that come in at random moments."""
    waiting, order = list(requests), list[int]()
    answers: dict[int, Generated] = {}
    while waiting or generator.active:
        come = min(generator.free, len(waiting), chance.randint(0 if generator.active else 1, 3))
        order += generator.start(waiting[:come])
        waiting = waiting[come:]
        answers |= dict(generator.step())
    return [answers[name] for name in order]


@pytest.mark.parametrize("mixes", [range(30), pytest.param(range(30, 100), marks=pytest.mark.slow)], ids=len)
def test_answers_do_not_depend_on_who_shares_the_batch(chatty: Checkpoint, mixes: range) -> None:
    single = Generator(chatty.model, chatty.tokenizer, slots=1)
    requests = _requests(chatty, single)
    alone = [_run(single, [request], random.Random(0))[0] for request in requests]
    assert any(len(answer.seg_states) for answer in alone)
    assert len({len(answer.ids) for answer in alone}) > 5  # they end at different times
    generators = [
        Generator(chatty.model, chatty.tokenizer, slots=slots, recorded=recorded)
        for slots, recorded in ((2, False), (3, True), (5, False), (6, True))
    ]
    for mix in mixes:
        chance = random.Random(mix)
        chosen = chance.choices(range(len(requests)), k=chance.randint(2, 9))
        found = _run(chance.choice(generators), [requests[number] for number in chosen], chance)
        for number, answer in zip(chosen, found, strict=True):
            assert answer.ids == alone[number].ids
            assert answer.truncated == alone[number].truncated
            torch.testing.assert_close(answer.seg_states, alone[number].seg_states, atol=1e-4, rtol=1e-4)


def test_a_generator_goes_on_with_fewer_slots(chatty: Checkpoint) -> None:
    generator = Generator(chatty.model, chatty.tokenizer, slots=4, recorded=True)
    requests = _requests(chatty, generator)[:5]
    whole = _run(generator, requests, random.Random(0))
    generator.start(requests[:3])
    generator.resize(2)
    assert (generator.free, generator.active) == (2, 0)
    assert [answer.ids for answer in _run(generator, requests, random.Random(0))] == [answer.ids for answer in whole]


def test_draws_do_not_depend_on_who_shares_the_batch(tiny: Checkpoint) -> None:
    sampling = Sampling(temperature=1.2, seed=3)
    writer = PromptWriter(tiny.config, tiny.tokenizer)
    tokens = torch.zeros(tiny.config.global_encoder.tokens, 64)
    requests = [
        Request(writer.prefix, tokens, writer.question(question), 12, draw=number)
        for number, question in enumerate(QUESTIONS)
    ]
    single = Generator(tiny.model, tiny.tokenizer, sampling, slots=1)
    alone = [_run(single, [request], random.Random(0))[0].ids for request in requests]
    together = Generator(tiny.model, tiny.tokenizer, sampling, slots=4)
    assert [answer.ids for answer in _run(together, requests, random.Random(1))] == alone
    other = Request(writer.prefix, tokens, writer.question(QUESTIONS[0]), 12, draw=99)
    assert _run(single, [other], random.Random(0))[0].ids != alone[0]


def test_forced_answers_are_as_long_as_they_may_be(tiny: Checkpoint) -> None:
    writer = PromptWriter(tiny.config, tiny.tokenizer)
    generator = Generator(tiny.model, tiny.tokenizer, Sampling(forced=True))
    tokens = torch.zeros(3, tiny.config.global_encoder.tokens, 64)
    for answer in generator.generate(writer.prefix, tokens, [writer.question(q) for q in QUESTIONS[:3]], 17):
        assert len(answer.ids) == 17 and tiny.tokenizer.eos not in answer.ids


def test_imposed_segs_stand_where_they_were_asked_for(tiny: Checkpoint) -> None:
    writer = PromptWriter(tiny.config, tiny.tokenizer)
    generator = Generator(tiny.model, tiny.tokenizer, Sampling(forced=True, seg_every=4))
    tokens = torch.zeros(1, tiny.config.global_encoder.tokens, 64)
    (answer,) = generator.generate(writer.prefix, tokens, [writer.question("x")], 12)
    places = [place for place, token in enumerate(answer.ids) if token == tiny.tokenizer.seg]
    assert {3, 7, 11} <= set(places)
    assert len(answer.ids) == 12 and len(answer.seg_states) == len(places)


@pytest.fixture
def photographs(tmp_path: Path) -> list[Source]:
    sources = []
    for number in range(9):
        path = tmp_path / f"{number}.png"
        Image.effect_noise((40 + 3 * number, 60), 90).convert("RGB").save(path)
        sources.append(Source(path, path.name))
    (tmp_path / "4.png").write_text("no picture")
    return sources


def _outcomes(model: Checkpoint, photographs: list[Source]) -> list[PhotoRecord | Failure]:
    options = Options(batch_size=4, max_children=2, decoder="torch", max_new_tokens=10)
    found = list(Pipeline(model, options).run(photographs))
    assert [source for source, _ in found] == photographs
    return [outcome for _, outcome in found]


def _same(found: list[PhotoRecord | Failure], wanted: list[PhotoRecord | Failure]) -> None:
    """The same but for the last digits of scores, and a pixel of a mask now and then."""
    assert [outcome.file_name for outcome in found] == [outcome.file_name for outcome in wanted]
    for one, other in zip(found, wanted, strict=True):
        if isinstance(one, Failure) or isinstance(other, Failure):
            assert one == other
            continue
        assert [segcap.answer for segcap in one.segcaps] == [segcap.answer for segcap in other.segcaps]
        for mine, theirs in zip(one.segcaps, other.segcaps, strict=True):
            assert mine.parent == theirs.parent
            for mask, mask_there in zip(mine.masks, theirs.masks, strict=True):
                assert (rle.decode(mask.rle) != rle.decode(mask_there.rle)).mean() < 1e-3


def test_a_photograph_that_breaks_the_model_fails_alone(
    tiny: Checkpoint, photographs: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = leaning_to_seg(tiny, -1)
    whole = _outcomes(model, photographs)
    encode = Answerer.encode

    def fails(self: Answerer, views: Sequence[Views]) -> list[Encoded]:
        if any(view.frame.width == 46 for view in views):
            raise RuntimeError("a kernel\nbroke")
        return encode(self, views)

    monkeypatch.setattr(Answerer, "encode", fails)
    found = _outcomes(model, photographs)
    assert found[2] == Failure("2.png", "model", "a kernel broke")
    _same(found[:2] + found[3:], whole[:2] + whole[3:])
    assert isinstance(found[4], Failure) and found[4].stage == "open"


def test_when_memory_runs_out_fewer_are_done_at_a_time(
    tiny: Checkpoint, photographs: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = leaning_to_seg(tiny, -1)
    whole = _outcomes(model, photographs)
    finish, sizes = Answerer.finish, []

    def fails(self: Answerer, drafts: Sequence[Draft]) -> list:
        sizes.append(len(drafts))
        if self.generator.active + len(drafts) > 2:
            raise torch.OutOfMemoryError("no room")
        return finish(self, drafts)

    monkeypatch.setattr(Answerer, "finish", fails)
    _same(_outcomes(model, photographs), whole)
    assert max(sizes) > 2


def test_an_error_that_is_not_of_a_photograph_is_raised(tiny: Checkpoint) -> None:
    def broken() -> Iterator[Source]:
        yield from ()
        raise RuntimeError("the list of photographs broke")

    with pytest.raises(RuntimeError, match="the list of photographs broke"):
        list(Pipeline(tiny, Options(decoder="torch")).run(broken()))
