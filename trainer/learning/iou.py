"""How well predicted masks fit the true ones, in the frame in which they are compared for training.

Legend: `M` masks, `m` side of the low-res masks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.masks.postprocess import upscale
from trainer.learning.targets import FullTargets, LowResTargets, MaskTargets


def ious(targets: MaskTargets, low_res: Tensor) -> Tensor:
    """Intersection over union of each mask `(M,)`; two empty masks fit.

    Args:
        targets: the `M` true masks.
        low_res: `(M, m, m)` logits.
    """
    if isinstance(targets, LowResTargets):
        inside = targets.valid[targets.image_index] > 0
        return _iou((low_res > 0) & inside, (targets.masks >= 0.5) & inside)
    assert isinstance(targets, FullTargets)
    found = low_res.new_zeros(len(low_res), dtype=torch.float32)
    for number, (masks, frame) in enumerate(zip(targets.masks, targets.frames, strict=True)):
        rows = (targets.image_index == number).nonzero()[:, 0]
        if len(rows):
            found[rows] = _iou(upscale(low_res[rows], frame, targets.side) > 0, masks[targets.place[rows]])
    return found


def _iou(found: Tensor, true: Tensor) -> Tensor:
    both, either = (found & true).sum(dim=(1, 2)), (found | true).sum(dim=(1, 2))
    return torch.where(either > 0, both / either.clamp(min=1), torch.ones_like(both, dtype=torch.float32)).float()
