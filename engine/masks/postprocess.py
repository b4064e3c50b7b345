"""Low-res mask logits to masks in the upright original frame.

Legend: `N` masks, `m` side of the low-res masks, `S` side of the pixel view, `H x W` original frame.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.images.transforms import Frame
from engine.masks import rle
from engine.records import Mask


def upscale(low_res: Tensor, frame: Frame, side: int) -> Tensor:
    """Undo padding and resizing, as SAM does: to the padded view, crop, to the original frame.

    Args:
        low_res: `(N, m, m)` logits.
        frame: where the photograph lies in the view.
        side: `S`.

    Returns:
        `(N, H, W)` float32 logits.
    """
    view = F.interpolate(low_res.float()[:, None], (side, side), mode="bilinear", align_corners=False)
    inner = view[..., : frame.inner_height, : frame.inner_width]
    return F.interpolate(inner, (frame.height, frame.width), mode="bilinear", align_corners=False)[:, 0]


def to_masks(low_res: Tensor, frame: Frame, side: int) -> tuple[Mask, ...]:
    """Threshold at 0 and encode, one mask after the other, so that one full-size logit map lives at a time."""
    return tuple(_to_mask(upscale(one[None], frame, side)[0]) for one in low_res)


def low_res_areas(low_res: Tensor, frame: Frame, side: int) -> Tensor:
    """Share of the photograph that each mask covers, `(N,)`, judged on the low-res frame."""
    cell = low_res.shape[-1] / side
    inner = low_res[:, : max(1, round(frame.inner_height * cell)), : max(1, round(frame.inner_width * cell))]
    return (inner > 0).float().mean(dim=(1, 2))


def _to_mask(logits: Tensor) -> Mask:
    foreground = logits > 0
    score = float(torch.sigmoid(logits[foreground]).mean()) if foreground.any() else 0.0
    (encoded,) = rle.encode(foreground[None].numpy(force=True))
    return Mask(encoded, rle.area(encoded), rle.bbox(encoded), score)


def shifted(mask: Mask, left: int, top: int, height: int, width: int) -> Mask:
    """A mask of a cut-out in the frame of the whole photograph.

    Args:
        mask: of the cut-out.
        left, top: where the cut-out lies, in pixels.
        height, width: of the photograph.
    """
    if (mask.rle.height, mask.rle.width) == (height, width):
        return mask
    cut = rle.decode(mask.rle)
    whole = np.zeros((height, width), bool)
    whole[top : top + cut.shape[0], left : left + cut.shape[1]] = cut
    (encoded,) = rle.encode(whole[None])
    return Mask(encoded, rle.area(encoded), rle.bbox(encoded), mask.score)
