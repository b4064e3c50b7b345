"""Packing conversations into rows must not change what the model sees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.decoding.sequence import PromptWriter, Turn
from engine.model.mglmm import MGLMM
from engine.model.presets import NANO
from engine.model.tokenizers import BpeTokenizer
from engine.text.prompts import Task
from trainer.data.compose import Conversation
from trainer.data.compose.conversation import without_spare_masks
from trainer.data.scene import Scene
from trainer.learning.batches import ExampleWriter, collate
from trainer.learning.targets import LowResTargets

TOKENIZER = BpeTokenizer.train(["Where is the dog? <p> a dog </p> [SEG] sits on <p> the mat </p> [SEG]."] * 5, 400)
MASK = np.zeros((300, 384), bool)
MASK[:150] = True
TALK = (
    Conversation(Task.REFERRING, "Where is the dog?", "<p> a dog </p> [SEG]", (MASK,)),
    Conversation(
        Task.GCG, "Segment the mat.", "<p> a dog </p> [SEG] sits on <p> the mat </p> [SEG] [SEG].", (MASK, ~MASK, MASK)
    ),
)


def _scene() -> Scene:
    pixels = np.random.default_rng(0).integers(0, 255, (300, 384, 3), np.uint8)
    return Scene("scene", "ccp", pixels, (), semantic=np.zeros((300, 384), np.uint8))


@pytest.fixture(scope="module")
def model() -> MGLMM:
    torch.manual_seed(0)
    return MGLMM(NANO).eval()


@torch.inference_mode()
def test_a_packed_conversation_has_the_states_that_it_has_alone(model: MGLMM) -> None:
    writer = ExampleWriter(NANO, TOKENIZER, text_tokens=200)
    example = writer.write(_scene(), TALK)
    # Two rows of different lengths, so that padding is in play as well.
    batch = collate([writer.write(_scene(), TALK[:1]), example], writer.prefix_length, TOKENIZER.pad)
    prompt = PromptWriter(NANO, TOKENIZER)
    table = model.language_model.get_input_embeddings()
    tokens = model.encode_images(batch.pixels, None).tokens
    packed = torch.cat([prompt.prefix.embed(table, tokens), table(batch.ids)], dim=1)
    allowed = torch.zeros(batch.attention.shape).masked_fill_(~batch.attention, torch.finfo(torch.float32).min)
    states = model.language_model.model(
        inputs_embeds=packed, attention_mask=allowed, position_ids=batch.positions, use_cache=False
    ).last_hidden_state
    for number, talk in enumerate(TALK, start=1):
        ids = torch.tensor([prompt.conversation([Turn(talk.instruction, talk.answer)]).ids])
        alone = torch.cat([prompt.prefix.embed(table, tokens[1:]), table(ids)], dim=1)
        expected = model.language_model.model(inputs_embeds=alone, use_cache=False).last_hidden_state[0]
        start = writer.prefix_length + example.segment.index(number)
        found = states[1, start : start + ids.shape[1]]
        torch.testing.assert_close(found, expected[writer.prefix_length :], atol=1e-4, rtol=1e-4)


def test_labels_and_mask_states_stand_where_they_are_predicted() -> None:
    writer = ExampleWriter(NANO, TOKENIZER, text_tokens=200)
    example = writer.write(_scene(), TALK)
    learned = [label for label in example.labels if label >= 0]
    assert TOKENIZER.decode(learned) == f"{TALK[0].answer} {TALK[1].answer}"
    for place in example.seg_states:
        assert example.labels[place] == TOKENIZER.seg
    # Whatever is learned is the next token of its own conversation.
    for place, label in enumerate(example.labels):
        if label >= 0:
            assert example.ids[place + 1] == label
            assert example.segment[place + 1] == example.segment[place]


def test_an_unknown_mask_trains_the_words_alone() -> None:
    talk = Conversation(
        Task.GCG, "Segment the mat.", "<p> a dog </p> [SEG] sits on <p> the mat </p> [SEG].", (None, MASK)
    )
    writer = ExampleWriter(NANO, TOKENIZER, text_tokens=200)
    example, known = writer.write(_scene(), [talk]), writer.write(_scene(), [replace(talk, masks=(~MASK, MASK))])
    assert (example.labels, example.ids) == (known.labels, known.ids)
    assert example.seg_states == known.seg_states[1:]
    assert isinstance(example.targets, LowResTargets) and isinstance(known.targets, LowResTargets)
    assert torch.equal(example.targets.masks, known.targets.masks[1:])


def test_masks_and_padding_in_the_low_res_frame() -> None:
    example = ExampleWriter(NANO, TOKENIZER, text_tokens=200).write(_scene(), TALK[:1])
    targets = example.targets
    assert isinstance(targets, LowResTargets)
    assert targets.masks.shape == (1, 192, 192)
    assert targets.masks[0, :75].min() == 1 and targets.masks[0, 75:].max() == 0
    assert targets.valid[0, :150].min() == 1 and targets.valid[0, 150:].max() == 0
    assert (example.semantic[:50] == 0).all() and (example.semantic[50:] == 255).all()


def test_what_does_not_fit_is_left_out_but_the_first_stays() -> None:
    example = ExampleWriter(NANO, TOKENIZER, text_tokens=5).write(_scene(), TALK)
    assert set(example.segment) == {1}
    assert len(example.targets) == 1


def test_all_answers_of_a_conversation_are_learned_and_have_masks() -> None:
    history = (Turn("Where is the dog?", "<p> a dog </p> [SEG]"),)
    talk = Conversation(Task.REFERRING, "And the mat?", "<p> the mat </p> [SEG].", (MASK, ~MASK), history)
    example = ExampleWriter(NANO, TOKENIZER, text_tokens=200).write(_scene(), [talk])
    assert set(example.segment) == {1}
    assert TOKENIZER.decode([i for i in example.labels if i >= 0]) == f"{history[0].answer} {talk.answer}"
    assert example.labels.count(TOKENIZER.eos) == 2
    assert [example.labels[place] for place in example.seg_states] == [TOKENIZER.seg] * 2
    assert isinstance(example.targets, LowResTargets)
    assert example.targets.masks[:, 0, 0].tolist() == [1, 0]


def test_masks_are_counted_over_all_answers_and_spare_ones_may_be_left_out() -> None:
    turns = [Turn("Where is the dog?", "[SEG]"), Turn("And the mat?", "[SEG].")]
    with pytest.raises(ValueError, match="needs 2 masks, not 3"):
        Conversation(Task.REFERRING, turns[1].question, turns[1].answer, (MASK, MASK, MASK), (turns[0],))
    talk = without_spare_masks(Task.REFERRING, turns, [MASK, ~MASK, MASK])
    assert talk.turns == tuple(turns)
    assert [bool(mask[0, 0]) for mask in talk.known_masks] == [True, False]
    with pytest.raises(ValueError, match="needs 2 masks, not 1"):
        without_spare_masks(Task.REFERRING, turns, [MASK])
