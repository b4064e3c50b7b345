"""Semantic maps scored as MGLMM's script for generic segmentation does: mIoU, and PQ with one segment per class.

Every class counts as stuff. Later masks of a prediction overwrite earlier ones.
The official script starts from class 0, so pixels without a prediction become that class, and it skips an image
without any prediction. The corrected rule leaves such pixels unlabelled and counts such an image.

Legend: a map is `H x W` class indices, 255 for unlabelled.
Source: the generic segmentation evaluation of MGLMM (arXiv 2409.13407).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.masks.rle import decode
from engine.records import RLE
from trainer.metrics.panoptic import PanopticImage, PanopticScores, Segment, panoptic_scores
from trainer.metrics.protocol import Rules

UNLABELLED = 255


@dataclass(frozen=True, slots=True, eq=False)
class SemanticImage:
    """One image: its true map, and the predicted classes with their masks in the order in which they are painted."""

    image_id: str
    gt: NDArray[np.uint8]
    pred: tuple[tuple[int, RLE], ...]


@dataclass(frozen=True, slots=True, eq=False)
class SemanticScores:
    """Scores of a set of images, as fractions.

    Attributes:
        panoptic: PQ, SQ and RQ; `of_stuff` is the same as `all`.
        miou: mean over the classes in the truth or the prediction.
        miou_gt_classes: mean over the classes in the truth alone.
        iou: class index to IoU, NaN for a class in neither.
        skipped: images without a prediction that the official rule left out.
    """

    panoptic: PanopticScores
    miou: float
    miou_gt_classes: float
    iou: NDArray[np.float64]
    skipped: tuple[str, ...]


def semantic_scores(images: Iterable[SemanticImage], classes: int, protocol: Rules = "official") -> SemanticScores:
    """mIoU and PQ of semantic maps.

    Args:
        images: one at a time is enough.
        classes: how many there are.
        protocol: see the head of this file.

    Raises:
        ValueError: if a class is unknown or a mask is not of its image's size.
    """
    confusion = np.zeros((classes, classes + 1), dtype=np.int64)  # the last column: not predicted
    skipped: list[str] = []

    def kept() -> Iterable[PanopticImage]:
        for image in images:
            if not image.pred and protocol == "official":
                skipped.append(image.image_id)
                continue
            pred = paint(image, classes, protocol)
            labelled = image.gt != UNLABELLED
            truth = image.gt[labelled].astype(np.int64)
            if truth.size and truth.max() >= classes:
                raise ValueError(f"image {image.image_id!r}: its true map has the class {truth.max()} of {classes}")
            answer = np.minimum(pred[labelled], classes).astype(np.int64)
            confusion.ravel()[:] += np.bincount(truth * (classes + 1) + answer, minlength=confusion.size)
            yield PanopticImage(image.image_id, *_segments(image.gt), *_segments(pred))

    panoptic = panoptic_scores(kept(), dict.fromkeys(range(classes), False))
    right = np.diag(confusion).astype(np.float64)
    in_gt, in_pred = confusion.sum(axis=1), confusion[:, :classes].sum(axis=0)
    union = in_gt + in_pred - right
    iou = np.where(union > 0, right / np.maximum(union, 1), np.nan)
    return SemanticScores(panoptic, _mean(iou[union > 0]), _mean(iou[in_gt > 0]), iou, tuple(skipped))


def paint(image: SemanticImage, classes: int, protocol: Rules) -> NDArray[np.uint8]:
    """The predicted map of one image."""
    painted = np.full(image.gt.shape, 0 if protocol == "official" else UNLABELLED, dtype=np.uint8)
    for index, mask in image.pred:
        if not 0 <= index < classes:
            raise ValueError(f"image {image.image_id!r}: unknown class {index}")
        if [mask.height, mask.width] != list(painted.shape):
            raise ValueError(
                "image {!r}: a mask of {} x {} pixels, the true map has {} x {}".format(
                    image.image_id, mask.height, mask.width, *painted.shape
                )
            )
        painted[decode(mask)] = index
    return painted


def _segments(classes: NDArray[np.uint8]) -> tuple[NDArray[np.int64], tuple[Segment, ...]]:
    """A semantic map as an id map: ids are class index + 1, and void is unlabelled."""
    ids = np.where(classes == UNLABELLED, 0, classes.astype(np.int64) + 1)
    return ids, tuple(Segment(int(found), int(found) - 1) for found in np.unique(ids) if found)


def _mean(values: Sequence[float] | NDArray[np.float64]) -> float:
    return float(np.mean(values)) if len(values) else 0.0
