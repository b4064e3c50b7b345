"""What is scored of answers about annotated photographs beside the MGSC protocol: repetition, outlines, names.

* `boundary_iou`: boundary IoU of the pairs that mIoU takes, a mean over the photographs as that is one. Two masks
  without a pixel are no pair.
* `duplicates`: share of the masks of an answer with an IoU above .8 with an earlier one of it; and of all masks of a
  photograph, its panoptic answer first, then the fine-grained ones that it leads to. A fine-grained answer begins with
  the object that it is about, which the panoptic answer has too.
* `largest named`: whether the largest annotated region is named: by the phrase of the mask that overlaps it most, if
  their IoU reaches .5; and the same without the classes of people.
* `names right`: share of right names among the masks that have an IoU of .5 with an annotated region, the one that
  they overlap most.
* `name_score, AUROC`: how well the name scores tell right names from wrong ones, over the same masks.

Masks are taken as the model gives them, before anything is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.errors import UsageError
from engine.records import RLE
from trainer.benchmarks.benchmark import Question, Report, Scoring, Share
from trainer.benchmarks.grounded import GroundedCaptions
from trainer.benchmarks.photos.names import PERSONS, Names
from trainer.metrics.auroc import auroc
from trainer.metrics.boundary import boundary_iou
from trainer.metrics.duplicates import count_duplicates
from trainer.metrics.matching import greedy_pairs, iou_matrix
from trainer.metrics.mgsc import GroundTruth, Prediction

_EVERY, _AUROC = "duplicates, with fine-grained answers", "name_score, AUROC"

MATCHED = 0.5
"""From this IoU on a mask is of a region."""


@dataclass(frozen=True, slots=True)
class Region:
    """What is annotated: an object, or all of a class in sets without objects."""

    label: str
    mask: RLE
    area: int


class PhotoCaptions(GroundedCaptions):
    """Answers about annotated photographs.

    Args:
        questions: one per photograph.
        gts: the truth of each that is composed from its annotation, in the same order.
        regions: the annotation of each, in the same order.
        names: of the classes.
    """

    def __init__(
        self,
        questions: Sequence[Question],
        gts: Sequence[GroundTruth],
        regions: Sequence[Sequence[Region]],
        names: Names,
    ) -> None:
        super().__init__(questions, gts)
        self._regions = {question.id: found for question, found in zip(questions, regions, strict=True)}
        self._names = names

    def without(self, question_ids: Collection[str]) -> PhotoCaptions:
        """The same without some of the questions."""
        kept = [question for question in self.questions if question.id not in question_ids]
        names = [question.id for question in kept]
        return PhotoCaptions(
            kept, [self._gts[name] for name in names], [self._regions[name] for name in names], self._names
        )

    def score(self, answers: Mapping[str, Prediction], scoring: Scoring) -> Report:
        """AP, caption scores, mIoU and mask recall, and what this module adds."""
        report = super().score(answers, scoring)
        empty = Prediction("", None, (), ())
        shares: dict[str, dict[str, Share]] = {}
        right: list[float] = []
        wrong: list[float] = []
        for question in self.questions:
            answer = answers.get(question.id, empty)
            try:
                iou = iou_matrix(answer.masks, [region.mask for region in self._regions[question.id]], empty=0.0)
                matched = self._matched(answer, iou, self._regions[question.id])
                shares[question.id] = self._shares(question, answer, iou, matched)
            except ValueError as error:
                raise UsageError(f"image {question.id!r}: {error}") from error
            for place, good in matched.items():
                score = answer.name_scores[place] if answer.name_scores else None
                if score is not None:
                    (right if good else wrong).append(score)
        names = ["boundary_iou", "duplicates", "largest named", "largest named, no persons", "names right"]
        if any(question.children for question in self.questions):
            names.insert(2, _EVERY)
        scores = {name: _ratio([found[name] for found in shares.values() if name in found]) for name in names}
        scores[_AUROC] = auroc(right, wrong)
        counts = {"right names": len(right), "wrong names": len(wrong)}
        missing = {}
        if scores[_AUROC] is None:
            which = "only right names have" if right else "only wrong names have" if wrong else "no name has"
            missing[_AUROC] = f"{which} a score"
        if _EVERY in scores and scores[_EVERY] is None:
            missing[_EVERY] = "what followed the answers is not known"
        return replace(
            report,
            scores={**report.scores, **scores},
            counts={**report.counts, **(counts if right or wrong else {})},
            missing={**report.missing, **missing},
            items={name: {**found, **shares[name]} for name, found in report.items.items()},
        )

    def _shares(
        self, question: Question, answer: Prediction, iou: np.ndarray, matched: Mapping[int, bool]
    ) -> dict[str, Share]:
        """What a question adds to each score; a score to which it adds nothing may be missing.

        Args:
            question: the question.
            answer: to it, with P masks.
            iou: `[P x R]` of its masks and the regions.
            matched: see `_matched`.
        """
        gt, masks = self._gts[question.id], answer.masks
        pairs = greedy_pairs(iou_matrix(masks, gt.masks, empty=0.0))
        outlines = [boundary_iou(masks[row], gt.masks[column]) for row, column in pairs]
        shares: dict[str, Share] = {
            "boundary_iou": (float(np.mean(outlines)) if outlines else 0.0, 1),
            "duplicates": (count_duplicates(masks), len(masks)),
        }
        if question.children and answer.following is not None:
            every = (*masks, *answer.following)
            shares[_EVERY] = (count_duplicates(every), len(every))
        regions = self._regions[question.id]
        others = [place for place, region in enumerate(regions) if region.label not in PERSONS]
        for name, places in (
            ("largest named", list(range(len(regions)))),
            ("largest named, no persons", others),
        ):
            if places:
                largest = max(places, key=lambda place: regions[place].area)
                shares[name] = (float(self._is_named(answer, iou[:, largest], regions[largest].label)), 1)
        shares["names right"] = (sum(matched.values()), len(matched))
        return shares

    def _is_named(self, answer: Prediction, iou: np.ndarray, label: str) -> bool:
        """Args: an answer; IoU `[P]` of its masks with a region; the region's class."""
        if not len(iou) or iou.max() < MATCHED:
            return False
        return self._names.is_right(_phrase(answer, int(iou.argmax())), label)

    def _matched(self, answer: Prediction, iou: np.ndarray, regions: Sequence[Region]) -> dict[int, bool]:
        """The places of the masks that are of a region, and whether the names are right.

        Args:
            answer: with P masks.
            iou: `[P x R]`.
            regions: R.
        """
        if not iou.size:
            return {}
        return {
            place: self._names.is_right(_phrase(answer, place), regions[int(row.argmax())].label)
            for place, row in enumerate(iou)
            if row.max() >= MATCHED
        }


def _phrase(answer: Prediction, place: int) -> str:
    return answer.phrases[place] if place < len(answer.phrases) else ""


def _ratio(shares: Sequence[Share]) -> float | None:
    whole = sum(share[1] for share in shares)
    return sum(share[0] for share in shares) / whole if whole else None
