"""One training step's forward pass: a batch to its losses.

Legend: `B` photographs, `L` length of a row, `D` hidden size, `N` masks, `K` tokens to be learned.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.model.mglmm import MGLMM
from engine.sequence import Prefix
from trainer.auxiliary import SemanticHead
from trainer.batches import Batch
from trainer.losses import alignment_losses, mask_losses, text_loss
from trainer.recipe import LossRecipe


@dataclass(frozen=True, slots=True)
class Losses:
    """Unweighted losses of a step, and their weighted sum."""

    total: Tensor
    text: Tensor
    bce: Tensor
    dice: Tensor
    semantic: Tensor
    align: Tensor

    def numbers(self) -> dict[str, float]:
        """For the log."""
        return {name: round(float(getattr(self, name).detach()), 5) for name in self.__slots__}


def forward(
    model: MGLMM, head: SemanticHead, prefix: Prefix, batch: Batch, weights: LossRecipe, masks: Tensor
) -> Losses:
    """Run the model on a batch.

    Args:
        model: in training mode, its batch norms frozen.
        head: the auxiliary semantic head.
        prefix: the model's prompt prefix.
        batch: the step's batch.
        weights: of the losses.
        masks: `(M,)` which of the batch's `N` masks are decoded.
    """
    features = model.encode_images(batch.pixels, None)
    table = model.language_model.get_input_embeddings()
    embedded = torch.cat([prefix.embed(table, features.tokens), table(batch.ids).to(features.tokens.dtype)], dim=1)
    allowed = torch.zeros(batch.attention.shape, dtype=embedded.dtype, device=embedded.device)
    allowed.masked_fill_(~batch.attention, torch.finfo(embedded.dtype).min)
    states = model.language_model.model(
        inputs_embeds=embedded, attention_mask=allowed, position_ids=batch.positions, use_cache=False
    ).last_hidden_state.flatten(0, 1)
    text = text_loss(model.language_model.lm_head(states[batch.label_index]), batch.label_ids)
    prompts = model.prompt_vectors(states[batch.seg_index[masks]])
    image = batch.image_index[masks]
    targets, valid = batch.masks[masks], batch.valid[image]
    bce, dice = mask_losses(model.mask_head(features.embedding, prompts, image), targets, valid)
    align = alignment_losses(prompts, features.embedding[image], targets, valid)
    semantic = head(features.embedding, batch.kinds, batch.semantic)
    masked = weights.bce * bce + weights.dice * dice + weights.align * align
    total = weights.text * text + masked + weights.semantic * semantic
    return Losses(total, text, bce, dice, semantic, align)
