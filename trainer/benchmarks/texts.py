"""Captions of photographs and of regions, by the COCO caption metrics."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from engine.errors import UsageError
from trainer.benchmarks.benchmark import Question, Report, Scoring, Share, paired
from trainer.metrics.captions import CaptionScores, score_captions
from trainer.metrics.mgsc import Prediction

_MEANS = ("ROUGE_L", "CIDEr", "SPICE")
"""Scores that are the mean of those of the images."""


def caption_shares(scores: Mapping[str, float]) -> dict[str, Share]:
    """What one caption adds; Bleu and METEOR are no means, so theirs go under a name of their own."""
    return {name if name in _MEANS else f"{name}, mean": (value, 1) for name, value in scores.items()}


@dataclass(frozen=True, slots=True)
class References:
    """What is true of one question.

    Attributes:
        captions: one or more.
        group: a part of the set that is scored on its own too, or empty.
    """

    captions: tuple[str, ...]
    group: str = ""


class Captions:
    """A caption per question.

    Args:
        questions: one per photograph or region.
        references: the truth of each, by id.
    """

    def __init__(self, questions: Sequence[Question], references: Mapping[str, References]) -> None:
        self.questions = questions
        self._references = references

    def truth(self, question_id: str) -> Prediction:
        """One of the right answers; all of them go into its text, a line each."""
        return Prediction(question_id, "\n".join(self._references[question_id].captions), (), ())

    def frame(self, question_id: str) -> None:
        """Captions have no masks."""

    def without(self, question_ids: Collection[str]) -> Captions:
        """The same without some of the questions."""
        kept = [question for question in self.questions if question.id not in question_ids]
        return Captions(kept, {question.id: self._references[question.id] for question in kept})

    def score(self, answers: Mapping[str, Prediction], scoring: Scoring) -> Report:
        """The caption metrics, over all and over each group.

        The official scripts score the questions that have a result and leave the others out.
        """
        complete, notes = paired(self._references, answers, missing_ok=True)
        given = {name: pred.caption for name, pred in complete.items() if pred.caption is not None}
        absent = len(complete) - len(given)
        if not given:
            raise UsageError("no prediction has a caption")
        everything = {name: given.get(name, "") for name in complete}
        official = scoring.protocol == "official"
        if absent and official:
            notes = [note for note in notes if "empty answers" not in note]
            notes.append(f"{absent} of {len(complete)} have no caption and are left out, as the official scripts do")
        chosen = dict(given) if official else everything
        whole = self._score(chosen, scoring)
        scores: dict[str, float | None] = {**whole.corpus, **dict.fromkeys(whole.missing)}
        for group in sorted({self._references[name].group for name in chosen} - {""}):
            part = {name: text for name, text in chosen.items() if self._references[name].group == group}
            scores |= {f"{name}, {group}": value for name, value in self._score(part, scoring).corpus.items()}
        return Report(
            scores=scores,
            corrected=dict(self._score(everything, scoring).corpus) if absent and official else {},
            counts={"questions": len(complete), "captions scored": len(chosen)},
            missing=whole.missing,
            notes=tuple(notes),
            items={name: caption_shares(values) for name, values in whole.per_image.items()},
            worst_by="CIDEr",
        )

    def _score(self, texts: Mapping[str, str], scoring: Scoring) -> CaptionScores:
        references = {name: self._references[name].captions for name in texts}
        return score_captions(references, texts, with_spice=scoring.spice)
