"""Every pixel of a photograph in one segment: PQ as panopticapi has it, and MGLMM's scores of semantic maps."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import UsageError
from engine.masks.rle import decode, encode
from trainer.benchmarks.benchmark import Question, Report, Scoring, Share, Size, paired
from trainer.benchmarks.panoptic_files import read_ids, read_size
from trainer.data.compose.nouns import noun
from trainer.metrics.mgsc import Prediction
from trainer.metrics.panoptic import ClassCount, PanopticImage, PanopticScores, Segment, panoptic_scores, quality
from trainer.metrics.semantic import UNLABELLED, SemanticImage, SemanticScores, semantic_scores

_SUFFIX = re.compile(r"(-(merged|other|stuff))+$")
_ARTICLE = re.compile(r"^(an?|the)\s+")


@dataclass(frozen=True, slots=True)
class Category:
    """A class of segments; its place in the list is its index in semantic maps."""

    id: int
    name: str
    thing: bool


@dataclass(frozen=True, slots=True)
class TrueMap:
    """The picture of the true segments of a photograph, and what they are."""

    path: Path
    segments: tuple[Segment, ...]


class Maps:
    """Segments per photograph.

    Every mask of an answer is a segment of the class that its phrase names; where masks overlap, the later one is on
    top. For the semantic scores all masks of a class are one.

    Args:
        questions: one per photograph.
        maps: the truth of each, by id; read when it is needed.
        categories: in the order of the annotation file.
        instances: whether answers tell the objects of a class apart; without it, only semantic maps are scored.
    """

    def __init__(
        self,
        questions: Sequence[Question],
        maps: Mapping[str, TrueMap],
        categories: Sequence[Category],
        *,
        instances: bool,
    ) -> None:
        self.questions = questions
        self._maps = maps
        self.categories = categories
        self._index = {category.name: index for index, category in enumerate(categories)}
        self._place = {category.id: index for index, category in enumerate(categories)}
        self._instances = instances
        self._spoken = {spoken: one.name for one in reversed(categories) for spoken in _spoken(one.name)}

    def truth(self, question_id: str) -> Prediction:
        """The answer that would be right: a mask per segment, without crowds."""
        true = self._maps[question_id]
        ids = read_ids(true.path)
        kept = [segment for segment in true.segments if not segment.crowd]
        names = tuple(self.categories[self._place[segment.category]].name for segment in kept)
        masks = tuple(encode(np.stack([ids == segment.id for segment in kept]))) if kept else ()
        return Prediction(question_id, ", ".join(names), names, masks)

    def frame(self, question_id: str) -> Size:
        """The size of the true picture."""
        return read_size(self._maps[question_id].path)

    def without(self, question_ids: Collection[str]) -> Maps:
        """The same without some of the questions."""
        kept = [question for question in self.questions if question.id not in question_ids]
        maps = {question.id: self._maps[question.id] for question in kept}
        return Maps(kept, maps, self.categories, instances=self._instances)

    def recognise(self, answer: Prediction) -> Prediction:
        """A model's answer with the names of classes as phrases; a mask of anything else is left out."""
        named = [
            (self._spoken.get(_plain(text)), mask) for text, mask in zip(answer.phrases, answer.masks, strict=True)
        ]
        kept = [(text, mask) for text, mask in named if text]
        return Prediction(
            answer.image_id, answer.caption, tuple(text for text, _ in kept), tuple(mask for _, mask in kept)
        )

    def score(self, answers: Mapping[str, Prediction], scoring: Scoring) -> Report:
        """PQ, SQ and RQ, and the semantic scores."""
        official = scoring.protocol == "official"
        # The official semantic script passes over a photograph without a prediction; panopticapi does not.
        complete, notes = paired(self._maps, answers, missing_ok=not official or not self._instances)
        unknown = [name for pred in complete.values() for name in pred.phrases if name not in self._index]
        if unknown and official:
            raise UsageError(
                f"{len(unknown)} masks are of an unknown class, such as {unknown[0]!r}, at which the official script "
                "stops; --protocol corrected leaves them out"
            )
        if unknown:
            notes.append(f"{len(unknown)} masks of an unknown class, such as {unknown[0]!r}, are left out")
        try:
            semantic = semantic_scores(self._semantic(complete), len(self.categories), scoring.protocol)
            corrected = semantic
            if official:
                corrected = semantic_scores(self._semantic(complete), len(self.categories), "corrected")
            panoptic = None
            if self._instances:
                things = {category.id: category.thing for category in self.categories}
                panoptic = panoptic_scores(self._panoptic(complete), things)
        except ValueError as error:
            raise UsageError(str(error)) from error
        if semantic.skipped:
            notes = [note for note in notes if "empty answers" not in note]
            notes.append(
                f"{len(semantic.skipped)} photographs without a prediction, such as {semantic.skipped[0]!r}, are "
                "left out of the semantic scores, as the official script does"
            )
        return Report(
            scores=_panoptic_scores(panoptic) | _semantic_scores(semantic),
            corrected=_semantic_scores(corrected) if official else {},
            counts={"photographs": len(complete)},
            notes=tuple(notes),
            items=_items(panoptic or corrected.panoptic),
            worst_by="PQ, mean of photographs",
        )

    def _semantic(self, answers: Mapping[str, Prediction]) -> Iterator[SemanticImage]:
        for name, pred in answers.items():
            masks = zip(pred.phrases, pred.masks, strict=True)
            painted = tuple((self._index[text], mask) for text, mask in masks if text in self._index)
            yield SemanticImage(name, self._true_classes(name), painted)

    def _true_classes(self, name: str) -> NDArray[np.uint8]:
        true = self._maps[name]
        ids = read_ids(true.path)
        classes = np.full(ids.shape, UNLABELLED, dtype=np.uint8)
        for segment in true.segments:
            classes[ids == segment.id] = self._place[segment.category]
        return classes

    def _panoptic(self, answers: Mapping[str, Prediction]) -> Iterator[PanopticImage]:
        for name, pred in answers.items():
            true = self._maps[name]
            gt = read_ids(true.path)
            ids = np.zeros(gt.shape, dtype=np.int64)
            categories: dict[int, int] = {}
            for number, (text, mask) in enumerate(zip(pred.phrases, pred.masks, strict=True), start=1):
                if (mask.height, mask.width) != gt.shape:
                    raise ValueError(
                        "image {!r}: a mask of {} x {} pixels, the true map has {} x {}".format(
                            name, mask.height, mask.width, *gt.shape
                        )
                    )
                if text in self._index:
                    ids[decode(mask)] = number
                    categories[number] = self.categories[self._index[text]].id
            seen = set(np.unique(ids).tolist())
            segments = tuple(Segment(number, category) for number, category in categories.items() if number in seen)
            yield PanopticImage(name, gt, true.segments, ids, segments)


def _spoken(name: str) -> tuple[str, ...]:
    """How a class may be called in an answer: `wall-other-merged` is a wall."""
    base = _SUFFIX.sub("", name)
    return tuple(_plain(form) for one in (name, base) for form in (one, noun(one).singular, noun(one).plural))


def _plain(text: str) -> str:
    return _ARTICLE.sub("", text.casefold().replace("-", " ").strip())


def _panoptic_scores(found: PanopticScores | None) -> dict[str, float | None]:
    if found is None:
        return {}
    scores: dict[str, float | None] = {}
    for name, one in (("", found.all), (", things", found.of_things), (", stuff", found.of_stuff)):
        scores |= {f"PQ{name}": one.pq, f"SQ{name}": one.sq, f"RQ{name}": one.rq}
    return scores


def _semantic_scores(found: SemanticScores) -> dict[str, float | None]:
    whole = found.panoptic.all
    return {
        "semantic PQ": whole.pq,
        "semantic SQ": whole.sq,
        "semantic RQ": whole.rq,
        "mIoU": found.miou,
        "mIoU, classes in the truth": found.miou_gt_classes,
    }


def _items(found: PanopticScores) -> dict[str, dict[str, Share]]:
    return {name: {"PQ, mean of photographs": _mean(counts)} for name, counts in found.per_image.items()}


def _mean(counts: Mapping[int, ClassCount]) -> Share:
    whole = quality(counts.values())
    return (whole.pq, 1) if whole.classes else (0.0, 0)
