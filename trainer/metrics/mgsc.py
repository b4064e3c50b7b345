"""The whole evaluation of grounded captions: AP/AR, caption metrics, mIoU and mask recall (MGSC and GCG).

Legend: per image `G` true masks, `L` true labels, `P` predicted masks, `F` predicted phrases. Label i names true mask i
and phrase j names predicted mask j, by position only.
Source: the evaluation of MGLMM (arXiv 2409.13407), which is that of GLaMM (arXiv 2311.03356) but for the recall of
images with a malformed answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from engine.records import RLE
from trainer.metrics.ap import DetectionScores, ImageMasks, MaskDetection, detection_scores
from trainer.metrics.captions import CaptionScores, all_missing, score_captions
from trainer.metrics.matching import Pair, greedy_pairs, iou_matrix
from trainer.metrics.protocol import Rules

if TYPE_CHECKING:
    from trainer.metrics.similarity import Similarity

IOU_THRESHOLD = 0.5
TEXT_THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """What is true of one image.

    Attributes:
        image_id: any string; AP ranks the images by its code points.
        caption: the reference.
        labels: L names, in the order of the masks.
        masks: G masks.
        mask_ids: annotation ids, unique over all images; only the id 0 matters (see `detection_scores`).
        mask_areas: areas in pixels as the annotations give them; empty to count.
    """

    image_id: str
    caption: str
    labels: tuple[str, ...]
    masks: tuple[RLE, ...]
    mask_ids: tuple[int, ...] = ()
    mask_areas: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model answered about one image.

    Attributes:
        image_id: which image.
        caption: None where it gave none.
        phrases: F names.
        masks: P masks.
        name_scores: how sure the model was of each mask's name, None where that is not known; empty if it is of none.
        following: masks of the answers to questions that this one led to, in order; None where none were asked.
    """

    image_id: str
    caption: str | None
    phrases: tuple[str, ...]
    masks: tuple[RLE, ...]
    name_scores: tuple[float | None, ...] = ()
    following: tuple[RLE, ...] | None = None


@dataclass(frozen=True, slots=True)
class RecallScore:
    """True positives over true labels."""

    true_positives: int
    ground_truth: int

    @property
    def value(self) -> float:
        """As a fraction; 0 if there is nothing to find."""
        return self.true_positives / self.ground_truth if self.ground_truth else 0.0


@dataclass(frozen=True, slots=True)
class RecallScores:
    """Mask recall under each rule.

    Attributes:
        official: matching of an image stops at the first pair whose texts differ; an image in which a chosen pair
            lacks its phrase or label is left out altogether.
        sequential: as `official`, but such an image stays in the denominator: the rule of GLaMM.
        mismatch_skipped: a pair whose texts differ is passed over; malformed images are left out.
        corrected: a pair whose texts differ is passed over, a mask without a phrase can't match, no image is left out.
    """

    official: RecallScore
    sequential: RecallScore
    mismatch_skipped: RecallScore
    corrected: RecallScore


@dataclass(frozen=True, slots=True, eq=False)
class ImageDetail:
    """How one image was scored.

    Attributes:
        iou: `[G x P]`; NaN for two empty masks in the official protocol, 0 in the corrected one.
        similarity: `[L x F]`, None without a text model.
        miou: mean IoU of `miou_pairs`, 0 if there is none.
        miou_pairs: (predicted, true) pairs by falling IoU.
        recall_pairs: (true, predicted) pairs of the protocol's recall; None if the image was left out of it, or
            without a text model.
    """

    image_id: str
    iou: NDArray[np.float64]
    similarity: NDArray[np.float64] | None
    miou: float
    miou_pairs: tuple[Pair, ...]
    recall_pairs: tuple[Pair, ...] | None


@dataclass(frozen=True, slots=True)
class MgscScores:
    """Every number of the evaluation, as fractions (CIDEr: 0 to 10).

    Attributes:
        protocol: decides `detection`, `recall` and how missing answers and empty masks count.
        images, gt_masks, pred_masks: how many.
        detections: AP and AR under each rule.
        captions: by name; what could not be computed is under `captions.missing`.
        miou: mean of the images' `miou`.
        miou_corrected: the same where two masks without a pixel are no pair; the official 0 / 0 ends the matching of
            its image, which then has 0.
        recalls: under each rule; None without a text model.
        details: image id to how it was scored.
    """

    protocol: Rules
    images: int
    gt_masks: int
    pred_masks: int
    detections: MaskDetection
    captions: CaptionScores
    miou: float
    miou_corrected: float
    recalls: RecallScores | None
    details: Mapping[str, ImageDetail]

    @property
    def detection(self) -> DetectionScores:
        """AP and AR under the chosen protocol."""
        return self.detections.official if self.protocol == "official" else self.detections.corrected

    @property
    def recall(self) -> RecallScore | None:
        """Mask recall under the chosen protocol."""
        if self.recalls is None:
            return None
        return self.recalls.official if self.protocol == "official" else self.recalls.corrected

    def as_dict(self) -> dict[str, float | None]:
        """Name to number as the official script names them; None where one could not be computed."""
        numbers: dict[str, float | None] = dict(self.detection.as_dict())
        numbers.update(self.captions.corpus)
        numbers.update(dict.fromkeys(self.captions.missing))
        recall = self.recall
        return numbers | {"miou": self.miou, "recall": None if recall is None else recall.value}


def evaluate(
    gts: Sequence[GroundTruth],
    preds: Sequence[Prediction],
    similarity: Similarity | None,
    protocol: Rules = "official",
    *,
    captions: bool = True,
    with_spice: bool = False,
) -> MgscScores:
    """Score answers against the truth.

    Where the official script stops without a result because no mask was predicted at all, AP is 0 here.

    Args:
        gts: one per image; they decide which images are scored.
        preds: at most one per image; those of other images are passed over.
        similarity: the text model of the recall; None to go without recall.
        protocol: `official` reproduces published numbers, surprises included: a missing prediction is an error and one
            missing caption voids all caption metrics. `corrected` counts either as an empty answer.
        captions: off to skip the caption metrics, which start Java.
        with_spice: compute SPICE as well.

    Raises:
        ValueError: if an image occurs twice, there is none, its masks differ in size, or a prediction is missing in
            the official protocol.
    """
    answers = _answers(gts, preds, protocol)
    # By code point, which is how Python orders strings.
    ordered = sorted(gts, key=lambda gt: gt.image_id)
    images = [ImageMasks(gt.masks, answers[gt.image_id].masks, gt.mask_ids, gt.mask_areas) for gt in ordered]
    # The caption metrics wait for Java most of the time, so both cores have work.
    with ThreadPoolExecutor(1, "captions") as pool:
        captioned = pool.submit(_captions, gts, answers, protocol, with_spice=with_spice) if captions else None
        texts = _TextRows(gts, answers, similarity) if similarity is not None else None
        details: dict[str, ImageDetail] = {}
        corrected: list[float] = []
        tally = _Tally()
        for gt in gts:
            answer = answers[gt.image_id]
            iou = _image_iou(gt, answer, protocol)
            matrix = texts.matrix(gt.labels, answer.phrases) if texts is not None else None
            # The official script has predictions as rows here and the truth in its recall; ties depend on it.
            miou_pairs = greedy_pairs(iou.T)
            miou = _mean_iou(iou.T, miou_pairs)
            known = np.nan_to_num(iou.T, nan=0.0)
            corrected.append(_mean_iou(known, greedy_pairs(known)) if np.isnan(iou).any() else miou)
            pairs = tally.add(iou, matrix, len(gt.labels), protocol) if matrix is not None else None
            details[gt.image_id] = ImageDetail(gt.image_id, iou, matrix, miou, miou_pairs, pairs)
        detections = detection_scores(images)

    return MgscScores(
        protocol=protocol,
        images=len(gts),
        gt_masks=sum(len(gt.masks) for gt in gts),
        pred_masks=sum(len(answers[gt.image_id].masks) for gt in gts),
        detections=detections,
        captions=captioned.result() if captioned else all_missing("caption metrics were switched off"),
        miou=float(np.mean([detail.miou for detail in details.values()])),
        miou_corrected=float(np.mean(corrected)),
        recalls=tally.scores() if texts is not None else None,
        details=details,
    )


def recall_pairs(
    iou: NDArray[np.float64],
    similarity: NDArray[np.float64],
    *,
    on_mismatch: Literal["stop", "skip"],
    on_unnamed: Literal["drop", "skip"],
) -> tuple[Pair, ...] | None:
    """Match true and predicted masks by falling IoU, where the texts must agree too.

    The pair with the largest IoU (first in row-major order) is taken if its IoU and its text similarity both reach 0.5;
    its row and column are then out. Below 0.5 of IoU the matching ends.

    Args:
        iou: `[G x P]`; a NaN counts as the largest and as above the threshold.
        similarity: `[L x F]`.
        on_mismatch: end the matching at a pair whose texts differ, or go on to the next pair.
        on_unnamed: give the image up at a pair that lacks its label or phrase, or go on to the next pair.

    Returns:
        The (true, predicted) pairs taken, None if the image was given up.
    """
    left = np.array(iou, dtype=np.float64)
    labels, phrases = similarity.shape
    pairs: list[Pair] = []
    while left.size:
        row, column = (int(index) for index in np.unravel_index(int(np.argmax(left)), left.shape))
        if left[row, column] < IOU_THRESHOLD:
            break
        if row >= labels or column >= phrases:
            if on_unnamed == "drop":
                return None
            left[row, column] = -1.0
        elif similarity[row, column] < TEXT_THRESHOLD:
            if on_mismatch == "stop":
                break
            left[row, column] = -1.0
        else:
            pairs.append((row, column))
            left[row, :] = -1.0
            left[:, column] = -1.0
    return tuple(pairs)


class _Tally:
    """Adds up the recalls, image by image."""

    def __init__(self) -> None:
        self._hits = {"official": 0, "skipped": 0, "corrected": 0}
        self._labels = {"official": 0, "skipped": 0, "corrected": 0}

    def add(
        self, iou: NDArray[np.float64], similarity: NDArray[np.float64], labels: int, protocol: Rules
    ) -> tuple[Pair, ...] | None:
        """Count one image; returns its pairs under the protocol."""
        official = recall_pairs(iou, similarity, on_mismatch="stop", on_unnamed="drop")
        skipped = recall_pairs(iou, similarity, on_mismatch="skip", on_unnamed="drop")
        corrected = recall_pairs(np.nan_to_num(iou, nan=0.0), similarity, on_mismatch="skip", on_unnamed="skip")
        for name, pairs in (("official", official), ("skipped", skipped), ("corrected", corrected)):
            if pairs is not None:
                self._hits[name] += len(pairs)
                self._labels[name] += labels
        return official if protocol == "official" else corrected

    def scores(self) -> RecallScores:
        one = {name: RecallScore(self._hits[name], self._labels[name]) for name in self._hits}
        return RecallScores(
            official=one["official"],
            # The corrected rule leaves no image out, so it holds all labels.
            sequential=RecallScore(self._hits["official"], self._labels["corrected"]),
            mismatch_skipped=one["skipped"],
            corrected=one["corrected"],
        )


class _TextRows:
    """Similarities of all labels and phrases, every distinct text encoded once."""

    def __init__(self, gts: Sequence[GroundTruth], answers: Mapping[str, Prediction], similarity: Similarity) -> None:
        every = [text for gt in gts for text in (*gt.labels, *answers[gt.image_id].phrases)]
        self._row = {text: row for row, text in enumerate(dict.fromkeys(every))}
        self._vectors = similarity.encode(list(self._row))  # [texts x d]

    def matrix(self, labels: Sequence[str], phrases: Sequence[str]) -> NDArray[np.float64]:
        """`[L x F]`, also when L or F is 0."""
        if not labels or not phrases:
            return np.zeros((len(labels), len(phrases)), dtype=np.float64)
        left = self._vectors[[self._row[label] for label in labels]]
        right = self._vectors[[self._row[phrase] for phrase in phrases]]
        return np.asarray(left @ right.T, dtype=np.float64)


def _answers(gts: Sequence[GroundTruth], preds: Sequence[Prediction], protocol: Rules) -> dict[str, Prediction]:
    if not gts:
        raise ValueError("no images to score")
    wanted: dict[str, Prediction | None] = {}
    for gt in gts:
        if gt.image_id in wanted:
            raise ValueError(f"image {gt.image_id!r} occurs twice in the ground truth")
        wanted[gt.image_id] = None
    for pred in preds:
        if pred.image_id not in wanted:
            continue
        if wanted[pred.image_id] is not None:
            raise ValueError(f"image {pred.image_id!r} has two predictions")
        wanted[pred.image_id] = pred
    missing = [image_id for image_id, pred in wanted.items() if pred is None]
    if missing and protocol == "official":
        raise ValueError(
            f"{len(missing)} of {len(gts)} images have no prediction, such as {missing[0]!r}; "
            "the corrected protocol counts them as empty answers"
        )
    return {image_id: pred or Prediction(image_id, None, (), ()) for image_id, pred in wanted.items()}


def _image_iou(gt: GroundTruth, answer: Prediction, protocol: Rules) -> NDArray[np.float64]:
    try:
        return iou_matrix(gt.masks, answer.masks, empty=float("nan") if protocol == "official" else 0.0)
    except ValueError as error:
        raise ValueError(f"image {gt.image_id!r}: {error}") from error


def _mean_iou(iou: NDArray[np.float64], pairs: Sequence[Pair]) -> float:
    """Mean over the pairs; 0 if there is none."""
    return float(np.mean([iou[pair] for pair in pairs])) if pairs else 0.0


def _captions(
    gts: Sequence[GroundTruth], answers: Mapping[str, Prediction], protocol: Rules, *, with_spice: bool
) -> CaptionScores:
    nulls = [gt.image_id for gt in gts if answers[gt.image_id].caption is None]
    if nulls and protocol == "official":
        return all_missing(
            f"{len(nulls)} images have no caption, such as {nulls[0]!r}; the corrected protocol takes them as empty"
        )
    return score_captions(
        {gt.image_id: (gt.caption,) for gt in gts},
        {gt.image_id: answers[gt.image_id].caption or "" for gt in gts},
        with_spice=with_spice,
    )
