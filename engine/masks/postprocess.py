"""Low-res mask logits to masks in the upright original frame.

Legend: `N` masks, `m` side of the low-res masks, `S` side of the pixel view, `H x W` original frame.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from engine.images.transforms import Frame
from engine.masks import rle
from engine.masks.enlarge import Lines, columns
from engine.model.mask_head import LowResMasks
from engine.records import Mask

_SMALL = 128
"""Height and width together up to which torch interpolates in another way, whose last digits differ."""


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


def to_masks(found: LowResMasks, frame: Frame, side: int) -> tuple[Mask, ...]:
    """The masks of `upscale(found.logits, frame, side) > 0`, encoded, without ever holding a photograph's logits.

    Their score is the predicted IoU where there is one, else the mean probability of their pixels; 0 without any.
    """
    masks = [_to_mask(one, frame, side) for one in found.logits.detach().float().cpu()]
    if found.predicted_iou is not None:
        ious = found.predicted_iou.tolist()
        masks = [replace(mask, score=iou if mask.area else 0.0) for mask, iou in zip(masks, ious, strict=True)]
    return tuple(masks)


def low_res_areas(low_res: Tensor, frame: Frame, side: int) -> Tensor:
    """Share of the photograph that each mask covers, `(N,)`, judged on the low-res frame."""
    cell = low_res.shape[-1] / side
    inner = low_res[:, : max(1, round(frame.inner_height * cell)), : max(1, round(frame.inner_width * cell))]
    return (inner > 0).float().mean(dim=(1, 2))


def _to_mask(low_res: Tensor, frame: Frame, side: int) -> Mask:
    places = [np.empty(0, np.int64)]
    total, count = 0.0, 0
    for part in _columns(low_res, frame, side):
        foreground = part.values > 0
        places.append(rle.changes(foreground, part.line, part.position, frame.height))
        positive = part.values[foreground]
        total += float((1 / (1 + np.exp(-positive))).sum(dtype=np.float64))
        count += len(positive)
    encoded = rle.from_changes(np.concatenate(places), frame.height, frame.width)
    return Mask(encoded, count, rle.bbox(encoded), total / count if count else 0.0)


def _columns(low_res: Tensor, frame: Frame, side: int) -> Iterable[Lines]:
    if len(low_res) <= side and min(side + side, frame.height + frame.width) > _SMALL:
        return columns(low_res, frame, side)
    return [Lines(upscale(low_res[None], frame, side)[0].T.numpy(), 0, 0)]


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
