"""AP and AR through pycocotools: of COCO results as they are, and of class-agnostic masks without scores.

In the second, all masks are of one category and every score is 1.0, so the order of the detections decides the
precision curve: images in the order in which they are given, then masks in the order of the answer.
Source: the COCO detection evaluation (`pycocotools.cocoeval`), mask IoU, default areas and limits.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

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


@dataclass(frozen=True, slots=True)
class MaskDetection:
    """AP and AR of class-agnostic masks.

    Attributes:
        official: pycocotools writes the id of the matched annotation where 0 means "unmatched", so the detection that
            matches annotation 0 counts as a false positive.
        corrected: without that.
    """

    official: DetectionScores
    corrected: DetectionScores


def detection_scores(images: Sequence[ImageMasks]) -> MaskDetection:
    """AP and AR over all images.

    Args:
        images: in the order in which their detections are ranked.

    Raises:
        ValueError: if an annotation id occurs twice, or only some of the images have ids.
    """
    truths, zero = _truths(images)
    detections = [
        {"image_id": number, "category_id": _CATEGORY, "segmentation": rle.to_coco(), "score": 1.0}
        for number, image in enumerate(images, start=1)
        for rle in image.pred
    ]
    # pycocotools looks the sizes of images up but then takes the mask's own.
    frames = [{"id": number, "height": 0, "width": 0} for number in range(1, len(images) + 1)]
    categories = [{"id": _CATEGORY, "name": "object"}]
    truth = {"images": frames, "annotations": truths, "categories": categories}
    evaluation = _matched(truth, detections, "segm")
    corrected = _summary(evaluation)
    if zero is None:
        return MaskDetection(corrected, corrected)
    # One image differs; it is matched again, in the place where the evaluation keeps it.
    truths[zero]["id"] = 0
    parameters = evaluation.params
    image_id = truths[zero]["image_id"]
    for place, sizes in enumerate(parameters.areaRng):
        evaluation.evalImgs[place * len(images) + image_id - 1] = evaluation.evaluateImg(
            image_id, _CATEGORY, sizes, parameters.maxDets[-1]
        )
    return MaskDetection(_summary(evaluation), corrected)


def coco_scores(
    truth: Mapping[str, Any], results: Sequence[Mapping[str, Any]], kind: Literal["segm", "bbox"] = "segm"
) -> DetectionScores:
    """AP and AR of detections with scores and categories.

    Args:
        truth: a COCO file: images, annotations, categories.
        results: COCO results: `image_id`, `category_id`, `score`, and `segmentation` or `bbox`; there may be none.
        kind: whether masks or boxes are compared.

    Raises:
        ValueError: if a result is about an image that is not in the truth.
    """
    known = {image["id"] for image in truth["images"]}
    if strange := [result["image_id"] for result in results if result["image_id"] not in known]:
        raise ValueError(f"{len(strange)} results are about images without ground truth, such as {strange[0]!r}")
    return _summary(_matched(truth, results, kind))


def _matched(truth: Mapping[str, Any], detections: Sequence[Mapping[str, Any]], kind: str) -> Any:
    results = [_detection(number, detection, kind) for number, detection in enumerate(detections, start=1)]
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress and its table
        # An index built by hand, not `loadRes`: that one fails when there is no detection at all.
        evaluation = COCOeval(_index(truth), _index({**truth, "annotations": results}), kind)
        evaluation.evaluate()
    return evaluation


def _summary(evaluation: Any) -> DetectionScores:
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.accumulate()
        evaluation.summarize()
    return DetectionScores(*(float(value) for value in evaluation.stats))


def _detection(number: int, result: Mapping[str, Any], kind: str) -> dict[str, Any]:
    if kind == "bbox":
        _, _, width, height = result["bbox"]
        return {**result, "id": number, "iscrowd": 0, "area": width * height}
    # As `loadRes` has it: the area of a detection is its mask's.
    area = float(coco_mask.area(result["segmentation"]))
    return {"bbox": [], **result, "id": number, "iscrowd": 0, "area": area}


def _truths(images: Sequence[ImageMasks]) -> tuple[list[dict[str, Any]], int | None]:
    """Annotations numbered from 1, and the place of the one whose own id is 0."""
    with_ids = {bool(image.gt_ids) for image in images if image.gt}
    if len(with_ids) > 1:
        raise ValueError("some images have annotation ids and some have none")
    places: dict[int, int] = {}
    truths: list[dict[str, Any]] = []
    for number, image in enumerate(images, start=1):
        for index, rle in enumerate(image.gt):
            if image.gt_ids and places.setdefault(image.gt_ids[index], len(truths)) != len(truths):
                raise ValueError(f"annotation id {image.gt_ids[index]} occurs twice")
            truths.append(
                {
                    "id": len(truths) + 1,
                    "image_id": number,
                    "category_id": _CATEGORY,
                    "segmentation": rle.to_coco(),
                    "area": image.gt_areas[index] if image.gt_areas else _area(rle),
                    "iscrowd": 0,
                }
            )
    return truths, places.get(0)


def _area(rle: RLE) -> float:
    return float(coco_mask.area(rle.to_coco()))


def _index(content: Mapping[str, Any]) -> COCO:
    coco = COCO()
    coco.dataset = dict(content)
    coco.createIndex()
    return coco
