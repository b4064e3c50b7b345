"""Losses on text and masks.

Legend: `N` masks, `m x m` low-res frame, `T` tokens, `V` vocabulary. Weights are those of the recipe.

Source: LISA / GLaMM / MGLMM: cross-entropy on the answer, per-mask mean BCE, and dice on the soft mask.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def text_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy over the tokens to be learned.

    Args:
        logits: `(T, V)`, already picked at the positions that predict `labels`.
        labels: `(T,)` ids.
    """
    return F.cross_entropy(logits.float(), labels)


def mask_losses(logits: Tensor, targets: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """BCE and dice, each the mean over masks.

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
