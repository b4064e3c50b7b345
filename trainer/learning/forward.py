"""One training step's forward pass: a batch to its losses.

A loss is a mean over all tokens, masks or photographs of an optimiser step, however many processes and parts of a batch
they lie in: each part weighs what it holds (`Weights`).

Legend: `B` photographs, `L` length of a row, `D` hidden size, `M` masks that are decoded, `C` channels of a prompt
vector, `m` side of the low-res masks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.decoding.sequence import Prefix
from engine.model.mglmm import MGLMM, ImageFeatures
from trainer.learning.batches import Batch
from trainer.learning.iou import ious
from trainer.learning.losses import alignment_losses, text_loss
from trainer.learning.repetition import repetition_loss
from trainer.learning.semantic_head import SemanticHead
from trainer.learning.targets import LowResTargets
from trainer.recipe import LossRecipe


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
    repetition: Tensor


@dataclass(frozen=True, slots=True)
class Weights:
    """How much one part of a step's batch counts, for each kind of mean: its share of what is counted, times the number
    of parts, since gradients are the mean over parts. With one part all are 1."""

    text: float = 1.0
    masks: float = 1.0
    photographs: float = 1.0
    used_names: float = 1.0


class TrainStep(nn.Module):
    """The model and what training adds to it as one module, which is what several processes share.

    Args:
        model: its parts in the modes of `trainer.learning.parts.set_modes`.
        head: the auxiliary semantic head.
        prefix: the model's prompt prefix.
        losses: weights of the losses.
    """

    def __init__(self, model: MGLMM, head: SemanticHead, prefix: Prefix, losses: LossRecipe) -> None:
        super().__init__()
        self.model, self.head = model, head
        self._prefix, self._losses = prefix, losses

    def forward(self, batch: Batch, masks: Tensor, weights: Weights, *, measure: bool = False) -> dict[str, Tensor]:
        """Losses of a part of a step's batch, each times what it counts for.

        Args:
            batch: the part.
            masks: `(M,)` which of its `N` masks are decoded.
            weights: what it counts for.
            measure: compare the masks as well.

        Returns:
            each loss by its name, the weighted `total`, and if measured `ious` `(M,)`.
        """
        features = encode(self.model, batch, self._losses)
        predicted = predict(self.model, self._prefix, batch, features, masks)
        found = losses_of(self.model, self.head, batch, features, predicted, self._losses, masks)
        each = {
            "text": found.text * weights.text,
            "bce": found.bce * weights.masks,
            "dice": found.dice * weights.masks,
            "semantic": found.semantic * weights.photographs,
            "align": found.align * weights.masks,
            "repetition": found.repetition * weights.used_names,
        }
        result = {"total": combined(self._losses, **each), **{name: loss.detach() for name, loss in each.items()}}
        if measure and predicted.low_res is not None:
            result["ious"] = ious(batch.targets.pick(masks), predicted.low_res)
        return result


def combined(
    weights: LossRecipe,
    *,
    text: Tensor,
    bce: Tensor,
    dice: Tensor,
    semantic: Tensor,
    align: Tensor,
    repetition: Tensor,
) -> Tensor:
    """The weighted sum of the losses."""
    masked = weights.bce * bce + weights.dice * dice + weights.align * align
    return weights.text * text + weights.repetition * repetition + masked + weights.semantic * semantic


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
    return losses_of(model, head, batch, features, found, weights, masks)


def losses_of(
    model: MGLMM,
    head: SemanticHead,
    batch: Batch,
    features: ImageFeatures,
    found: Predictions,
    weights: LossRecipe,
    masks: Tensor,
) -> Losses:
    """Compare what the model says about a batch with what is true.

    Args:
        model: as in `forward`.
        head: as in `forward`.
        batch: as in `forward`.
        features: of the batch's photographs.
        found: what the model says.
        weights: as in `forward`.
        masks: as in `forward`.
    """
    logits = model.language_model.lm_head(found.states[batch.label_index])
    text = text_loss(logits, batch.label_ids)
    bce = dice = semantic = align = repetition = text.new_zeros(())
    if weights.repetition:
        repetition = repetition_loss(logits, batch.used_rows, batch.used_ids)
    embedding = features.embedding
    if embedding is not None and found.low_res is not None:
        targets = batch.targets.pick(masks)
        bce, dice = targets.losses(found.low_res)
        if weights.align:
            assert isinstance(targets, LowResTargets)  # LossRecipe has checked it
            image = targets.image_index
            align = alignment_losses(found.prompts, embedding.grid[image], targets.masks, targets.valid[image])
    if embedding is not None and weights.semantic:
        semantic = head(embedding.grid, batch.kinds, batch.semantic)
    each = {"text": text, "bce": bce, "dice": dice, "semantic": semantic, "align": align, "repetition": repetition}
    return Losses(combined(weights, **each), **each)


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
