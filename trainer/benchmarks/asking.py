"""A model's answers to the questions of a benchmark, in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from engine.decoding.row import Generated, Request, Sampling
from engine.errors import MglmmError, PhotographError, UsageError
from engine.images.decode import decode
from engine.images.transforms import Views, read_views
from engine.masks.decoder import open_mask_decoder
from engine.masks.postprocess import to_masks
from engine.model.checkpoint import Checkpoint
from engine.pipeline.answering import Answered, Answerer, Asked, Draft, Encoded
from engine.pipeline.pipeline import Pipeline
from engine.records import PhotoRecord, SegCap
from engine.text.prompts import TEMPLATES, Task, instruction
from trainer.benchmarks.benchmark import Question
from trainer.metrics.mgsc import Prediction

_SLOTS = 8
_TOGETHER = 32
"""Questions whose masks are decoded together."""


class Asker:
    """Puts questions to one model, several at a time.

    Args:
        checkpoint: the model.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._config = checkpoint.config
        self._families = TEMPLATES[checkpoint.config.template].families
        decoder = open_mask_decoder(checkpoint, "onnx")
        self._answerer = Answerer(checkpoint, decoder, Sampling(), checkpoint.config.max_new_tokens, _SLOTS)
        self._positions = int(checkpoint.model.language_model.config.max_position_embeddings)
        self._pipeline: Pipeline | None = None

    def run(self, questions: Sequence[Question]) -> Iterator[tuple[Question, PhotoRecord]]:
        """Answer questions; each record is named by its question, and has its answer first, then those to what follows.

        Questions about one photograph should follow each other: it is read once then.

        Raises:
            MglmmError: if a photograph can't be read: a score without it would be of another set.
            UsageError: if a question is about a region that the data set doesn't give, or has no words or too many.
        """
        left = iter(questions)
        while some := list(islice(left, _TOGETHER)):
            yield from self._about_regions(some) if some[0].task is Task.REGION else self._together(some)

    def _together(self, questions: Sequence[Question]) -> Iterator[tuple[Question, PhotoRecord]]:
        views: dict[Path, Views] = {}
        for question in questions:
            if question.image not in views:
                views[question.image] = self._read(question.image)
        paths = list(views)
        photographs: dict[Path, Encoded] = {}
        for start in range(0, len(paths), _SLOTS):
            some = paths[start : start + _SLOTS]
            photographs |= zip(some, self._answerer.encode([views[path] for path in some]), strict=True)
        asked = [Asked("custom", self.wording(question)) for question in questions]
        requests = [
            self._request(question, photographs[question.image], one)
            for question, one in zip(questions, asked, strict=True)
        ]
        answers = [
            [answered] for answered in self._finished(requests, asked, [photographs[one.image] for one in questions])
        ]
        self._follow(questions, answers, views, photographs)
        side = self._config.pixel_encoder.image_size
        for question, found in zip(questions, answers, strict=True):
            frame = views[question.image].frame
            segcaps = tuple(answered.segcap(to_masks(answered.low_res, frame, side)) for answered in found)
            yield question, PhotoRecord(question.id, frame.width, frame.height, segcaps)

    def _follow(
        self,
        questions: Sequence[Question],
        answers: Sequence[list[Answered]],
        views: Mapping[Path, Views],
        photographs: Mapping[Path, Encoded],
    ) -> None:
        """Put the questions that answers lead to; the answers to them are added to those of their question."""
        following: list[tuple[list[Answered], Asked, Encoded]] = []
        for question, found in zip(questions, answers, strict=True):
            if question.children:
                more = self._answerer.follow(found[0], views[question.image], question.children)
                following += [(found, asked, photographs[question.image]) for asked in more]
        requests = [self._answerer.request(photograph, asked) for _, asked, photograph in following]
        finished = self._finished(requests, [one[1] for one in following], [one[2] for one in following])
        for (found, _, _), answered in zip(following, finished, strict=True):
            found.append(answered)

    def _finished(
        self, requests: Sequence[Request], asked: Sequence[Asked], photographs: Sequence[Encoded]
    ) -> list[Answered]:
        drafts = [
            Draft(one, photograph, text)
            for one, photograph, text in zip(asked, photographs, self._generate(requests), strict=True)
        ]
        finished: list[Answered] = []
        for start in range(0, len(drafts), _TOGETHER):
            finished += self._answerer.finish(drafts[start : start + _TOGETHER])
        return finished

    def _about_regions(self, questions: Sequence[Question]) -> Iterator[tuple[Question, PhotoRecord]]:
        if self._pipeline is None:
            self._pipeline = Pipeline(self._checkpoint)
        for question in questions:
            if question.box is None:
                raise UsageError(f"question {question.id!r} has no box: a model can't be asked about its region")
            try:
                image = decode(question.image)
            except PhotographError as error:
                raise MglmmError(f"{question.image}: {error}") from None
            answer = self._pipeline.ask(image, [], question.box)
            yield question, PhotoRecord(question.id, image.shape[1], image.shape[0], answer)

    def _request(self, question: Question, photograph: Encoded, asked: Asked) -> Request:
        request = self._answerer.request(photograph, asked)
        length = len(request.prefix) + len(request.question)
        if length >= self._positions:
            raise UsageError(
                f"question {question.id!r}: {length:,} tokens with the photograph leave no room for an answer in the "
                f"{self._positions:,} positions of the model"
            )
        return request

    def wording(self, question: Question) -> str:
        """A question as it is put to this model.

        Raises:
            UsageError: if it has no words.
        """
        about = question.about
        if question.task is Task.REFERRING:
            about = about.rstrip(".") or about
        try:
            return instruction(question.task, label=about, families=self._families)
        except ValueError as error:
            raise UsageError(f"question {question.id!r}: {error}") from None

    def _read(self, path: Path) -> Views:
        try:
            return read_views(path, self._config)
        except PhotographError as error:
            raise MglmmError(f"{path}: {error}") from None

    def _generate(self, requests: Sequence[Request]) -> list[Generated]:
        generator = self._answerer.generator
        waiting = deque(requests)
        order: list[int] = []
        answers: dict[int, Generated] = {}
        while waiting or generator.active:
            order += generator.start([waiting.popleft() for _ in range(min(generator.free, len(waiting)))])
            answers |= dict(generator.step())
        return [answers[name] for name in order]


def to_prediction(record: PhotoRecord) -> Prediction:
    """The first answer of a record as a prediction: a phrase per mask, empty where the model gave none."""
    segcap, *following = record.segcaps
    named = {seg: phrase for phrase in segcap.answer.phrases for seg in phrase.segs}
    return Prediction(
        record.file_name,
        segcap.answer.caption,
        phrases_of(segcap),
        tuple(mask.rle for mask in segcap.masks),
        name_scores=tuple(named[seg].name_score for seg in range(len(segcap.masks))),
        following=tuple(mask.rle for one in following for mask in one.masks),
    )


def phrases_of(segcap: SegCap) -> tuple[str, ...]:
    """The phrase of each mask."""
    phrases = [""] * len(segcap.masks)
    for phrase in segcap.answer.phrases:
        for seg in phrase.segs:
            phrases[seg] = phrase.text
    return tuple(phrases)
