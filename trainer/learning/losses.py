"""Losses on text and masks.

Legend: `N` masks, `m x m` low-res frame, `H x W` frame of a photograph, `T` tokens, `V` vocabulary. Weights are those
of the recipe.

Source: LISA / GLaMM / MGLMM: cross-entropy on the answer, per-mask mean BCE, and dice on the soft mask.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_ALIGNMENT_SCALE = 0.25
_DICE_SCALE, _DICE_EPSILON = 1e-3, 1e-6
"""Of the public training code."""


def text_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy over the tokens to be learned.

    Args:
        logits: `(T, V)`, already picked at the positions that predict `labels`.
        labels: `(T,)` ids.
    """
    return F.cross_entropy(logits.float(), labels)


def low_res_mask_losses(logits: Tensor, targets: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """BCE and dice in the decoder's own frame, each the mean over masks.

    Args:
        logits: `(N, m, m)` mask logits.
        targets: `(N, m, m)` in [0, 1], the share of a cell that is foreground.
        valid: `(N, m, m)` 1 inside the photograph, 0 on padding.

    Returns:
        `(bce, dice)`; both are zero for `N = 0`.
    """
    if not logits.shape[0]:
        return logits.sum(), logits.sum()
    logits, area = logits.float(), valid.sum(dim=(1, 2))
    bce = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    bce = (bce * valid).sum(dim=(1, 2)) / area
    soft = torch.sigmoid(logits) * valid
    overlap = (soft * targets).sum(dim=(1, 2))
    dice = 1 - (2 * overlap + 1) / (soft.sum(dim=(1, 2)) + (targets * valid).sum(dim=(1, 2)) + 1)
    return bce.mean(), dice.mean()


def full_mask_losses(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """BCE and dice of each mask in the frame of its photograph, as the public models were trained.

    Args:
        logits: `(N, H, W)` mask logits.
        targets: `(N, H, W)` 0 or 1.

    Returns:
        `(bce, dice)`, each `(N,)`.
    """
    logits, targets = logits.float().flatten(1), targets.flatten(1)
    bce = F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(dim=1)
    soft = torch.sigmoid(logits) * _DICE_SCALE
    overlap = (soft * targets).sum(dim=1)
    total = soft.sum(dim=1) + (targets * _DICE_SCALE).sum(dim=1)
    return bce, 1 - (2 * overlap + _DICE_EPSILON) / (total + _DICE_EPSILON)


def alignment_losses(prompts: Tensor, embeddings: Tensor, targets: Tensor, valid: Tensor) -> Tensor:
    """BCE and dice of the plain product of prompt vector and image embedding, read as a coarse mask.

    A mask decoder that starts from random weights learns nothing from prompts that mean nothing yet, nor the prompts
    from such a decoder. This pulls each prompt vector towards the embedding of the cells that it names, without the
    decoder, which then finds the two in one space.

    Args:
        prompts: `(N, C)`.
        embeddings: `(N, C, g, g)`, the image of each prompt.
        targets: `(N, m, m)`, as in `low_res_mask_losses`; `m` is a multiple of `g`.
        valid: `(N, m, m)`, as in `low_res_mask_losses`.
    """
    grid = embeddings.shape[-1]
    similarity = torch.einsum("nc,nchw->nhw", prompts.float(), embeddings.float()) * _ALIGNMENT_SCALE
    inside = F.adaptive_avg_pool2d(valid, grid)
    bce, dice = low_res_mask_losses(similarity, F.adaptive_avg_pool2d(targets, grid), inside.clamp(min=1e-3))
    return bce + dice
