"""Expressions and questions whose answer is a region: RefCOCO/+/g, gRefCOCO, ReasonSeg, MUSE."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.errors import UsageError
from engine.masks.rle import decode
from engine.records import RLE
from trainer.benchmarks.benchmark import Question, Report, Scoring, Share, Size, paired
from trainer.metrics.mgsc import Prediction
from trainer.metrics.refer import PRECISION_AT, Flavour, Overlap, grefer_scores, overlap, precision, refer_scores


@dataclass(frozen=True, slots=True)
class Target:
    """What an expression means.

    Attributes:
        masks: its objects; none for an empty target.
        undecided: pixels that count on neither side, if any.
        group: a part of the set that is scored on its own too, or empty.
    """

    masks: tuple[RLE, ...]
    undecided: RLE | None = None
    group: str = ""


class Expressions:
    """Masks per question, merged by union before they are compared.

    Args:
        questions: an expression each.
        targets: the truth of each, by id.
        empty_targets: whether some mean nothing: then N-acc and T-acc are scored too.
    """

    def __init__(self, questions: Sequence[Question], targets: Mapping[str, Target], *, empty_targets: bool) -> None:
        self.questions = questions
        self._targets = targets
        self._about = {question.id: question.about for question in questions}
        self._empty_targets = empty_targets

    def truth(self, question_id: str) -> Prediction:
        """The answer that would be right."""
        masks = self._targets[question_id].masks
        text = self._about[question_id]
        return Prediction(question_id, text, (text,) * len(masks), masks)

    def frame(self, question_id: str) -> Size | None:
        """The size of the true masks; None for an empty target."""
        target = self._targets[question_id]
        known = target.masks if target.undecided is None else (target.undecided,)
        return next(((mask.height, mask.width) for mask in known), None)

    def without(self, question_ids: Collection[str]) -> Expressions:
        """The same without some of the questions."""
        kept = [question for question in self.questions if question.id not in question_ids]
        targets = {question.id: self._targets[question.id] for question in kept}
        return Expressions(kept, targets, empty_targets=self._empty_targets)

    def score(self, answers: Mapping[str, Prediction], scoring: Scoring) -> Report:
        """cIoU, gIoU and Pr@x, over all and over each group."""
        complete, notes = paired(self._targets, answers, missing_ok=scoring.protocol == "corrected")
        overlaps = {name: _overlap(name, self._targets[name], pred) for name, pred in complete.items()}
        flavour: Flavour = "official" if scoring.protocol == "official" else "exact"
        everything = list(overlaps.values())
        scores = _scores(everything, flavour, empty_targets=self._empty_targets)
        for group in sorted({target.group for target in self._targets.values()} - {""}):
            part = [found for name, found in overlaps.items() if self._targets[name].group == group]
            empty = any(not one.gt for one in part)
            scores |= {f"{name}, {group}": value for name, value in _scores(part, flavour, empty_targets=empty).items()}
        return Report(
            scores=scores,
            corrected=_scores(everything, "exact", empty_targets=self._empty_targets) if flavour == "official" else {},
            counts={"expressions": len(everything), "without a target": sum(not one.gt for one in everything)},
            notes=tuple(notes),
            items={name: _shares(found, empty_targets=self._empty_targets) for name, found in overlaps.items()},
            worst_by="gIoU",
        )


def _scores(overlaps: Sequence[Overlap], flavour: Flavour, *, empty_targets: bool) -> dict[str, float | None]:
    if not empty_targets:
        found = refer_scores(overlaps, flavour)
        return {"cIoU": found.ciou, "gIoU": found.giou} | _named(precision(overlaps))
    every = grefer_scores(overlaps, flavour)
    scores: dict[str, float | None] = {"cIoU": every.overlap.ciou, "gIoU": every.overlap.giou}
    scores |= {"N-acc": every.n_acc, "T-acc": every.t_acc}
    return scores | _named(every.precision)


def _named(shares: Mapping[float, float | None]) -> dict[str, float | None]:
    return {f"Pr@{at}": share for at, share in shares.items()}


def _shares(found: Overlap, *, empty_targets: bool) -> dict[str, Share]:
    iou = found.intersection / found.union if found.union else 1.0
    shares: dict[str, Share] = {"gIoU": (iou, 1), "cIoU": (found.intersection, found.union)}
    if found.gt:
        shares |= {f"Pr@{at}": (float(iou >= at), 1) for at in PRECISION_AT}
    if empty_targets:
        shares["T-acc" if found.gt else "N-acc"] = (float(bool(found.pred) == bool(found.gt)), 1)
    return shares


def _overlap(name: str, target: Target, pred: Prediction) -> Overlap:
    try:
        if target.undecided is None:
            return overlap(target.masks, pred.masks)
        counted = ~decode(target.undecided)
        gt, answer = _merged(target.masks, counted), _merged(pred.masks, counted)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from error
    return Overlap(int(gt.sum()), int(answer.sum()), int((gt & answer).sum()))


def _merged(masks: Sequence[RLE], counted: np.ndarray) -> np.ndarray:
    merged = np.zeros_like(counted)
    for mask in masks:
        if (mask.height, mask.width) != counted.shape:
            raise ValueError(
                "masks of different sizes (height x width): {} x {} and {} x {}".format(
                    mask.height, mask.width, *counted.shape
                )
            )
        merged |= decode(mask)
    return merged & counted
