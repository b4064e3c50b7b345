"""A step computes what its recipe gives a weight to, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.decoding.sequence import PromptWriter
from engine.model.mglmm import MGLMM
from engine.model.tokenizers import BpeTokenizer
from engine.text.prompts import Task
from tests.engine.tiny import TEXTS, TINY
from trainer.data.compose import Conversation
from trainer.data.scene import Scene
from trainer.learning.batches import ExampleWriter, collate
from trainer.learning.forward import Losses, forward
from trainer.learning.semantic_head import SemanticHead
from trainer.learning.targets import TARGETS
from trainer.recipe import LossRecipe

TOKENIZER = BpeTokenizer.train(TEXTS * 4, 400)
MASK = np.zeros((96, 96), bool)
MASK[:40] = True
CAPTION = Conversation(Task.CAPTION, "Describe it.", "The sky.")
SEGMENT = Conversation(Task.REFERRING, "Segment the dog.", "<p> a dog </p> [SEG] and [SEG].", (MASK, ~MASK))


def _losses(weights: LossRecipe, *talk: Conversation) -> tuple[Losses, MGLMM, SemanticHead]:
    torch.manual_seed(0)
    model = MGLMM(TINY).train()
    head = SemanticHead(TINY.pixel_encoder.out_channels, {"ccp": 3})
    writer = ExampleWriter(TINY, TOKENIZER, 200, TARGETS[weights.mask_frame])
    image = np.random.default_rng(0).integers(0, 255, (96, 96, 3), np.uint8)
    scene = Scene("scene", "ccp", image, (), semantic=np.zeros((96, 96), np.uint8))
    batch = collate([writer.write(scene, [entry]) for entry in talk], writer.prefix_length, TOKENIZER.pad)
    prefix = PromptWriter(TINY, TOKENIZER).prefix
    losses = forward(model, head, prefix, batch, weights, torch.arange(len(batch.targets)))
    losses.total.backward()
    return losses, model, head


@pytest.mark.parametrize("weights", [LossRecipe(), LossRecipe(mask_frame="full")])
def test_a_training_aid_without_weight_is_not_computed(weights: LossRecipe) -> None:
    losses, model, head = _losses(weights, SEGMENT, CAPTION)
    assert losses.semantic.item() == losses.align.item() == 0
    assert all(parameter.grad is None for parameter in head.parameters())
    expected = losses.text + weights.bce * losses.bce + weights.dice * losses.dice
    assert losses.total.item() == pytest.approx(expected.item())
    assert losses.bce.item() > 0.1 and losses.dice.item() > 0.1
    reached = next(model.text_hidden_fcs.parameters()).grad
    assert reached is not None and reached.abs().max() > 0


def test_training_aids_with_weight_reach_head_and_prompts() -> None:
    losses, _, head = _losses(LossRecipe(semantic=1.0, align=1.0), SEGMENT, CAPTION)
    assert losses.semantic.item() > 0.1 and losses.align.item() > 0.1
    assert all(parameter.grad is not None for parameter in head.parameters())


@pytest.mark.parametrize("weights", [LossRecipe(), LossRecipe(mask_frame="full"), LossRecipe(align=1.0)])
def test_a_batch_without_masks_learns_its_text_only(weights: LossRecipe) -> None:
    losses, _, _ = _losses(weights, CAPTION, CAPTION)
    assert losses.bce.item() == losses.dice.item() == losses.align.item() == 0
    assert losses.total.item() == pytest.approx(losses.text.item())
