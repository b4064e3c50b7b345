"""Generation: batches do not change answers, and states are those of a plain forward pass."""

from __future__ import annotations

import pytest
import torch

from engine.decoding.generator import Generator
from engine.decoding.row import Generated, Sampling
from engine.decoding.sequence import PromptWriter
from engine.errors import UsageError
from engine.model.checkpoint import Checkpoint
from tests.engine.tiny import leaning_to_seg

QUESTIONS = ["Segment the dog.", "Describe all the objects in the image comprehensively, with interleaved masks.", "x"]


def _generate(
    model: Checkpoint,
    questions: list[str],
    limit: int = 24,
    sampling: Sampling | None = None,
    *,
    recorded: bool = False,
) -> list[Generated]:
    writer = PromptWriter(model.config, model.tokenizer)
    tokens = _tokens(model, len(questions))
    generator = Generator(model.model, model.tokenizer, sampling, recorded=recorded)
    return generator.generate(writer.prefix, tokens, [writer.question(text) for text in questions], limit)


def _tokens(model: Checkpoint, rows: int) -> torch.Tensor:
    """The same image tokens for every row, so that a row's answer depends on its question only."""
    draws = torch.Generator().manual_seed(7)
    hidden = model.model.language_model.config.hidden_size
    return torch.randn(1, model.config.global_encoder.tokens, hidden, generator=draws).expand(rows, -1, -1)


def _states(model: Checkpoint, question: str, ids: tuple[int, ...]) -> torch.Tensor:
    """Last-layer states of prompt and answer by one forward pass without a cache, at and before each answer token."""
    writer = PromptWriter(model.config, model.tokenizer)
    table = model.model.language_model.get_input_embeddings()
    text = torch.tensor([[*writer.question(question), *ids]])
    embedded = torch.cat([writer.prefix.embed(table, _tokens(model, 1)), table(text)], dim=1)
    return model.model.language_model.model(inputs_embeds=embedded, use_cache=False).last_hidden_state[0]


@pytest.fixture(scope="module")
def chatty(tiny: Checkpoint) -> Checkpoint:
    """The tiny model, its embeddings tilted so that it says [SEG] now and then."""
    return leaning_to_seg(tiny, -1)


def test_a_batch_gives_the_answers_of_its_rows_alone(chatty: Checkpoint) -> None:
    together = _generate(chatty, QUESTIONS)
    for question, answer in zip(QUESTIONS, together, strict=True):
        (alone,) = _generate(chatty, [question])
        assert answer.ids == alone.ids
        torch.testing.assert_close(answer.seg_states, alone.seg_states, atol=1e-4, rtol=1e-4)
    assert any(chatty.tokenizer.seg in answer.ids for answer in together)


@pytest.mark.parametrize("offset", [-1, 0])
def test_states_are_those_of_a_forward_pass(tiny: Checkpoint, offset: int) -> None:
    model = leaning_to_seg(tiny, offset)
    seen = 0
    for question, answer in zip(QUESTIONS, _generate(model, QUESTIONS), strict=True):
        with torch.inference_mode():
            states = _states(model, question, answer.ids)
        start = len(states) - len(answer.ids)
        places = [start + i + offset for i, token in enumerate(answer.ids) if token == model.tokenizer.seg]
        torch.testing.assert_close(answer.seg_states, states[places], atol=1e-4, rtol=1e-4)
        seen += len(places)
    assert seen


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_probabilities_are_those_of_a_forward_pass(chatty: Checkpoint, temperature: float, recorded: bool) -> None:
    answers = _generate(chatty, QUESTIONS, sampling=Sampling(temperature, seed=3), recorded=recorded)
    for question, answer in zip(QUESTIONS, answers, strict=True):
        with torch.inference_mode():
            states = _states(chatty, question, answer.ids)
            shares = chatty.model.language_model.lm_head(states).softmax(dim=-1)  # whatever the temperature
        before = shares[len(states) - len(answer.ids) - 1 : -1]
        expected = [float(share[token]) for share, token in zip(before, answer.ids, strict=True)]
        assert answer.probabilities == pytest.approx(expected, abs=1e-4)


def test_what_is_imposed_or_ruled_out_changes_no_probability(tiny: Checkpoint) -> None:
    (plain,) = _generate(tiny, QUESTIONS[:1], 6)
    (forced,) = _generate(tiny, QUESTIONS[:1], 6, Sampling(forced=True))
    same = [one == other for one, other in zip(plain.ids, forced.ids, strict=False)]
    assert all(same) and same
    assert forced.probabilities[: len(same)] == pytest.approx(plain.probabilities)
    (imposed,) = _generate(tiny, QUESTIONS[:1], 6, Sampling(forced=True, seg_every=3))
    assert [probability is None for probability in imposed.probabilities] == [False, False, True] * 2


@pytest.mark.parametrize("offset", [-1, 0])
def test_a_seg_that_comes_last_has_its_state(tiny: Checkpoint, offset: int) -> None:
    model = leaning_to_seg(tiny, offset)
    ids = _generate(model, [QUESTIONS[0]])[0].ids
    limit = ids.index(model.tokenizer.seg) + 1
    (cut,) = _generate(model, [QUESTIONS[0]], limit)
    assert cut.ids == ids[:limit]
    assert cut.truncated
    assert len(cut.seg_states) == cut.ids.count(model.tokenizer.seg)


def test_sampling_is_repeatable_and_differs_from_greedy(tiny: Checkpoint) -> None:
    first, second = (_generate(tiny, QUESTIONS, sampling=Sampling(1.5, seed=3)) for _ in range(2))
    assert [answer.ids for answer in first] == [answer.ids for answer in second]
    assert [answer.ids for answer in first] != [answer.ids for answer in _generate(tiny, QUESTIONS)]


def test_a_prompt_without_room_for_an_answer_is_refused(tiny: Checkpoint) -> None:
    with pytest.raises(UsageError, match="leaves no room"):
        _generate(tiny, ["dog " * 300])
