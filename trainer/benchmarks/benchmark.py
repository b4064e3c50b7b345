"""What a benchmark is: questions about photographs, what is true of them, and a score of the answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol, Self

from engine.errors import UsageError
from engine.text.prompts import Box, Task
from trainer.metrics.mgsc import Prediction
from trainer.metrics.protocol import Rules
from trainer.metrics.similarity import Similarity

Share = tuple[float, float]
"""What one question adds to a score: numerator and denominator; the score is the ratio of their sums."""

Size = tuple[int, int]
"""Height and width in pixels."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question about a photograph.

    Attributes:
        id: unique in the benchmark; predictions go by it.
        image: where the photograph lies; looked for only when a model is asked.
        task: the family of the question.
        about: what it names, for the families that name something.
        box: the region it is about.
        children: at most so many fine-grained questions about what its answer names follow it.
    """

    id: str
    image: Path
    task: Task
    about: str = ""
    box: Box | None = None
    children: int = 0


@dataclass(frozen=True, slots=True)
class Scoring:
    """How answers are scored.

    Attributes:
        protocol: by which rules.
        similarity: the text model of the mask recall; None to go without recall.
        spice: compute SPICE of captions.
    """

    protocol: Rules = "official"
    similarity: Similarity | None = None
    spice: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """Scores of a set of answers, as fractions (CIDEr: 0 to 10).

    Attributes:
        scores: name to value under the chosen protocol; None where it could not be computed.
        corrected: name to value without the faults of the official protocol, where that differs.
        counts: how many of what was scored.
        missing: name to one line that says why it could not be computed.
        notes: what a reader must know about the answers, a line each.
        items: question to what it adds to the scores that are ratios of sums.
        worst_by: the score in `items` by which questions are ranked.
    """

    scores: Mapping[str, float | None]
    items: Mapping[str, Mapping[str, Share]]
    worst_by: str
    corrected: Mapping[str, float | None] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def worst(self, count: int) -> list[str]:
        """The questions with the lowest scores, the worst first."""
        values = {
            name: shares[self.worst_by][0] / shares[self.worst_by][1]
            for name, shares in self.items.items()
            if self.worst_by in shares and shares[self.worst_by][1]
        }
        return sorted(values, key=lambda name: values[name])[:count]


class Benchmark(Protocol):
    """Questions and their truth."""

    questions: Sequence[Question]

    def truth(self, question_id: str) -> Prediction:
        """The answer that would be right."""

    def frame(self, question_id: str) -> Size | None:
        """The size of the true masks; None where the truth has none."""

    def without(self, question_ids: Collection[str]) -> Self:
        """The same without some of the questions."""

    def score(self, answers: Mapping[str, Prediction], scoring: Scoring) -> Report:
        """Score answers by the ids of their questions.

        Raises:
            UsageError: if they don't fit the questions, naming what doesn't.
        """


def data_hash(benchmark: Benchmark) -> str:
    """SHA-256 over all questions and their truth: two results with the same one were made on the same data."""
    digest = hashlib.sha256()
    for question in benchmark.questions:
        truth = benchmark.truth(question.id)
        digest.update(
            json.dumps(
                [
                    question.id,
                    question.task,
                    question.about,
                    question.box and asdict(question.box),
                    truth.caption,
                    truth.phrases,
                    [mask.to_coco() for mask in truth.masks],
                ]
            ).encode()
        )
    return digest.hexdigest()


def paired(
    ids: Iterable[str], answers: Mapping[str, Prediction], *, missing_ok: bool
) -> tuple[dict[str, Prediction], list[str]]:
    """The answer to every question, and what doesn't fit in words.

    Args:
        ids: of the questions.
        answers: by id.
        missing_ok: take a missing one as empty; else it is an error.

    Raises:
        UsageError: if none fits, or one is missing and must not be.
    """
    wanted = list(ids)
    known = set(wanted)
    strange = [name for name in answers if name not in known]
    missing = [name for name in wanted if name not in answers]
    if answers and len(missing) == len(wanted):
        raise UsageError(
            f"no prediction is about a question of this set: there is one for {strange[0]!r}, none for {missing[0]!r}"
        )
    if missing and not missing_ok:
        raise UsageError(
            f"{len(missing)} of {len(wanted)} questions have no prediction, such as {missing[0]!r}; "
            "--protocol corrected counts them as empty answers"
        )
    notes = []
    if missing:
        notes.append(f"{len(missing)} without a prediction, such as {missing[0]!r}, count as empty answers")
    if strange:
        notes.append(f"{len(strange)} predictions about nothing in this set, such as {strange[0]!r}, were passed over")
    empty = {name: Prediction(name, None, (), ()) for name in missing}
    return {name: answers[name] if name in answers else empty[name] for name in wanted}, notes
