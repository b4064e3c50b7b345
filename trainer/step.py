"""One training step's forward pass: a batch to its losses.

Legend: `B` photographs, `L` length of a row, `D` hidden size, `M` masks that are decoded, `C` channels of a prompt
vector, `m` side of the low-res masks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.model.mglmm import MGLMM, ImageFeatures
from engine.sequence import Prefix
from trainer.auxiliary import SemanticHead
from trainer.batches import Batch
from trainer.losses import alignment_losses, text_loss
from trainer.recipe import LossRecipe
from trainer.targets import LowResTargets


@dataclass(frozen=True, slots=True)
class Predictions:
    """What the model says about a batch.

    Attributes:
        states: `(B * L, D)`, the language model's last states.
        prompts: `(M, C)`, prompt vectors of the masks.
        low_res: `(M, m, m)` mask logits, or None where the pixel encoder was left out.
    """

    states: Tensor
    prompts: Tensor
    low_res: Tensor | None


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
    """Run the model on a batch; a loss without weight is not computed.

    Args:
        model: in training mode, its batch norms frozen.
        head: the auxiliary semantic head.
        prefix: the model's prompt prefix.
        batch: the step's batch.
        weights: of the losses.
        masks: `(M,)` which of the batch's `N` masks are decoded.
    """
    features = encode(model, batch, weights)
    found = predict(model, prefix, batch, features, masks)
    text = text_loss(model.language_model.lm_head(found.states[batch.label_index]), batch.label_ids)
    bce = dice = semantic = align = text.new_zeros(())
    embedding = features.embedding
    if embedding is not None and found.low_res is not None:
        targets = batch.targets.pick(masks)
        bce, dice = targets.losses(found.low_res)
        if weights.align:
            assert isinstance(targets, LowResTargets)  # LossRecipe has checked it
            image = targets.image_index
            align = alignment_losses(found.prompts, embedding[image], targets.masks, targets.valid[image])
    if embedding is not None and weights.semantic:
        semantic = head(embedding, batch.kinds, batch.semantic)
    masked = weights.bce * bce + weights.dice * dice + weights.align * align
    total = weights.text * text + masked + weights.semantic * semantic
    return Losses(total, text, bce, dice, semantic, align)


def encode(model: MGLMM, batch: Batch, weights: LossRecipe) -> ImageFeatures:
    """Encode the photographs; the pixel encoder runs only if something depends on it."""
    needed = len(batch.targets) or weights.semantic or model.config.global_encoder.kind == "pyramid_tokens"
    return model.encode_images(batch.pixels if needed else None, batch.view)


def predict(model: MGLMM, prefix: Prefix, batch: Batch, features: ImageFeatures, masks: Tensor) -> Predictions:
    """Read the conversations and decode masks.

    Args:
        model: as in `forward`.
        prefix: as in `forward`.
        batch: as in `forward`.
        features: of the batch's photographs.
        masks: as in `forward`.
    """
    table = model.language_model.get_input_embeddings()
    embedded = torch.cat([prefix.embed(table, features.tokens), table(batch.ids).to(features.tokens.dtype)], dim=1)
    allowed = torch.zeros(batch.attention.shape, dtype=embedded.dtype, device=embedded.device)
    allowed.masked_fill_(~batch.attention, torch.finfo(embedded.dtype).min)
    states = model.language_model.model(
        inputs_embeds=embedded, attention_mask=allowed, position_ids=batch.positions, use_cache=False
    ).last_hidden_state.flatten(0, 1)
    prompts = model.prompt_vectors(states[batch.seg_index[masks]])
    if features.embedding is None:
        return Predictions(states, prompts, None)
    image = batch.targets.image_index[masks]
    return Predictions(states, prompts, model.mask_head(features.embedding, prompts, image))
