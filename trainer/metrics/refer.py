"""cIoU, gIoU and Pr@x of referring segmentation, and N-acc and T-acc where an expression may have no target.

Legend: `I`, `U` pixels in the intersection and the union of an expression's masks, each side merged by union first.
cIoU = sum of I / sum of U; gIoU = mean of I / U, where an empty U counts 1.
Source: RefCOCO-style scoring of LISA and MGLMM (arXiv 2308.00692, 2409.13407); GRES (arXiv 2306.00968) for the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pycocotools import mask as coco_mask

from engine.records import RLE

Flavour = Literal["exact", "official"]
PRECISION_AT = (0.7, 0.8, 0.9)

_IOU_EPS = 1e-5
_SUM_EPS = 1e-10


@dataclass(frozen=True, slots=True)
class Overlap:
    """Pixel counts of one expression; `gt` and `pred` after merging."""

    gt: int
    pred: int
    intersection: int

    @property
    def union(self) -> int:
        """Pixels in either."""
        return self.gt + self.pred - self.intersection


@dataclass(frozen=True, slots=True)
class ReferScores:
    """Fractions, and the sums behind them (pixels; number of expressions)."""

    giou: float
    ciou: float
    intersection: int
    union: int
    expressions: int


@dataclass(frozen=True, slots=True)
class Confusion:
    """Expressions counted with "has no target" as the positive: tp and fn have none, tn and fp have one."""

    tp: int
    fn: int
    tn: int
    fp: int


@dataclass(frozen=True, slots=True)
class GreferScores:
    """Scores of generalised referring segmentation, as fractions.

    Attributes:
        overlap: cIoU and gIoU.
        n_acc: share of the expressions without a target for which nothing is predicted.
        t_acc: share of those with a target for which something is predicted.
        precision: threshold to share of the expressions with a target whose IoU reaches it.
        confusion: the counts behind n_acc and t_acc.
        None stands for a share of nothing; the `official` flavour has 0 there.
    """

    overlap: ReferScores
    n_acc: float | None
    t_acc: float | None
    precision: Mapping[float, float | None]
    confusion: Confusion


def overlap(gt: Sequence[RLE], pred: Sequence[RLE]) -> Overlap:
    """Merge each side by union and count pixels; either may be empty.

    Raises:
        ValueError: if the masks are not all of one size.
    """
    sizes = {(rle.height, rle.width) for rle in (*gt, *pred)}
    if len(sizes) > 1:
        listed = ", ".join(f"{height}x{width}" for height, width in sorted(sizes))
        raise ValueError(f"masks of different sizes (height x width): {listed}")
    gt_pixels, pred_pixels = _pixels(gt), _pixels(pred)
    return Overlap(gt_pixels, pred_pixels, gt_pixels + pred_pixels - _pixels([*gt, *pred]))


def refer_scores(overlaps: Sequence[Overlap], flavour: Flavour = "exact") -> ReferScores:
    """cIoU and gIoU over all expressions, each of which counts once.

    Args:
        overlaps: one per expression.
        flavour: `exact`, or `official` with the small constants of the published script: U + 1e-5 and n + 1e-5 in
            gIoU, sum of U + 1e-10 in cIoU. Sums are float64 in both; the script's are float32 and drift by some 1e-6.

    Raises:
        ValueError: if there is no expression.
    """
    if not overlaps:
        raise ValueError("no expressions to score")
    iou_eps, sum_eps = (_IOU_EPS, _SUM_EPS) if flavour == "official" else (0.0, 0.0)
    intersection = np.array([item.intersection for item in overlaps], dtype=np.float64)
    union = np.array([item.union for item in overlaps], dtype=np.float64)
    iou = np.where(union > 0, intersection / np.where(union > 0, union + iou_eps, 1.0), 1.0)
    all_intersection, all_union = int(intersection.sum()), int(union.sum())
    return ReferScores(
        giou=float(iou.sum() / (len(overlaps) + iou_eps)),
        ciou=all_intersection / (all_union + sum_eps) if all_union else 0.0,
        intersection=all_intersection,
        union=all_union,
        expressions=len(overlaps),
    )


def grefer_scores(overlaps: Sequence[Overlap], flavour: Flavour = "exact", *, min_pixels: int = 1) -> GreferScores:
    """All scores of generalised referring segmentation.

    An expression without a target for which nothing is predicted adds 1 to gIoU and nothing to cIoU; if something is
    predicted it adds 0 to gIoU and its pixels to the union.

    Args:
        overlaps: one per expression.
        flavour: as in `refer_scores`; `official` also sets n_acc and t_acc to 0 if every expression has a target.
        min_pixels: a predicted mask with fewer pixels is taken as empty, and so as "no target". The classifier head
            that decides this in ReLA has no counterpart in a model that only writes masks.

    Raises:
        ValueError: if there is no expression.
    """
    kept = [item if item.pred >= min_pixels else Overlap(item.gt, 0, 0) for item in overlaps]
    scores = refer_scores(kept, flavour)
    without = [item for item in kept if not item.gt]
    targets = [item for item in kept if item.gt]
    tp, fp = sum(not item.pred for item in without), sum(not item.pred for item in targets)
    confusion = Confusion(tp=tp, fn=len(without) - tp, tn=len(targets) - fp, fp=fp)
    nothing = 0.0 if flavour == "official" else None
    unmeasured = flavour == "official" and not without
    return GreferScores(
        overlap=scores,
        n_acc=confusion.tp / len(without) if without else nothing,
        t_acc=confusion.tn / len(targets) if targets and not unmeasured else nothing,
        precision={at: nothing if share is None else share for at, share in precision(kept).items()},
        confusion=confusion,
    )


def precision(overlaps: Sequence[Overlap]) -> dict[float, float | None]:
    """Pr@x: threshold to the share of the expressions with a target whose IoU reaches it; None without any."""
    targets = [item for item in overlaps if item.gt]
    if not targets:
        return dict.fromkeys(PRECISION_AT)
    return {at: sum(item.intersection / item.union >= at for item in targets) / len(targets) for at in PRECISION_AT}


def _pixels(masks: Sequence[RLE]) -> int:
    if not masks:
        return 0
    return int(coco_mask.area(coco_mask.merge([rle.to_coco() for rle in masks], intersect=False)))
