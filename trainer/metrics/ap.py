"""AP and AR of class-agnostic masks without scores, through pycocotools.

All masks are of one category and every score is 1.0, so the order of the detections decides the precision curve:
images in the order in which they are given, then masks in the order of the answer.
Source: the COCO detection evaluation (`pycocotools.cocoeval`), mask IoU, default areas and limits.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields

from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from engine.records import RLE

_CATEGORY = 1


@dataclass(frozen=True, slots=True)
class ImageMasks:
    """The true and the predicted masks of one image.

    Attributes:
        gt: true masks; among equal IoUs the later one is matched.
        pred: predicted masks, in the order of the answer.
        gt_ids: annotation ids, one per true mask, unique over all images; empty to number them from 1.
        gt_areas: areas in pixels that sort the true masks into small, medium and large; empty to count pixels.
    """

    gt: tuple[RLE, ...]
    pred: tuple[RLE, ...]
    gt_ids: tuple[int, ...] = ()
    gt_areas: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name, values in (("gt_ids", self.gt_ids), ("gt_areas", self.gt_areas)):
            if values and len(values) != len(self.gt):
                raise ValueError(f"{len(self.gt)} true masks but {len(values)} {name}")


@dataclass(frozen=True, slots=True)
class DetectionScores:
    """The twelve COCO numbers, as fractions; -1 where no true mask is of that size (as pycocotools has it)."""

    AP: float
    AP50: float
    AP75: float
    AP_small: float
    AP_medium: float
    AP_large: float
    AR_1: float
    AR_10: float
    AR_100: float
    AR_small: float
    AR_medium: float
    AR_large: float

    def as_dict(self) -> dict[str, float]:
        """Name to number, in COCO's order."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def detection_scores(images: Sequence[ImageMasks], *, id0_quirk: bool) -> DetectionScores:
    """AP and AR over all images.

    Args:
        images: in the order in which their detections are ranked.
        id0_quirk: keep the `gt_ids` as they are. pycocotools writes the id of the matched annotation where 0 means
            "unmatched", so the detection that matches annotation 0 counts as a false positive. Off: the true masks
            are renumbered from 1 and no mask is hit.

    Raises:
        ValueError: if an annotation id occurs twice, or only some of the images have ids.
    """
    truths = _truths(images, keep_ids=id0_quirk)
    detections: list[dict[str, object]] = []
    for number, image in enumerate(images, start=1):
        for rle in image.pred:
            detections.append(_annotation(len(detections) + 1, number, rle, _area(rle)) | {"score": 1.0})
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress and its table
        # An index built by hand, not `loadRes`: that one fails when there is no detection at all.
        evaluation = COCOeval(_index(len(images), truths), _index(len(images), detections), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return DetectionScores(*(float(value) for value in evaluation.stats))


def _truths(images: Sequence[ImageMasks], *, keep_ids: bool) -> list[dict[str, object]]:
    with_ids = {bool(image.gt_ids) for image in images if image.gt}
    if len(with_ids) > 1:
        raise ValueError("some images have annotation ids and some have none")
    known = with_ids == {True}
    seen: set[int] = set()
    truths: list[dict[str, object]] = []
    for number, image in enumerate(images, start=1):
        for index, rle in enumerate(image.gt):
            annotation_id = image.gt_ids[index] if known else len(truths) + 1
            if annotation_id in seen:
                raise ValueError(f"annotation id {annotation_id} occurs twice")
            seen.add(annotation_id)
            area = image.gt_areas[index] if image.gt_areas else _area(rle)
            truths.append(_annotation(annotation_id if keep_ids else len(truths) + 1, number, rle, area))
    return truths


def _annotation(annotation_id: int, image_id: int, rle: RLE, area: float) -> dict[str, object]:
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": _CATEGORY,
        "segmentation": rle.to_coco(),
        "area": area,
        "iscrowd": 0,
    }


def _area(rle: RLE) -> float:
    return float(coco_mask.area(rle.to_coco()))


def _index(images: int, annotations: list[dict[str, object]]) -> COCO:
    coco = COCO()
    coco.dataset = {
        # pycocotools looks these sizes up but then takes the mask's own.
        "images": [{"id": number, "height": 0, "width": 0} for number in range(1, images + 1)],
        "annotations": annotations,
        "categories": [{"id": _CATEGORY, "name": "object"}],
    }
    coco.createIndex()
    return coco
