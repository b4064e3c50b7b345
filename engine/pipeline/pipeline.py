"""Photographs in, records out, in input order: bounded stages around the batches of the model.

    sources -> decode (threads) -> [ encode -> answer -> low-res masks ] -> full masks, RLE (threads) -> records

What is in brackets is the scheduler's. Everything between two stages is bounded, so memory depends on the batch size,
not on the number of photographs.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar, get_args

import numpy as np

from engine.decoding.row import Sampling
from engine.errors import PhotographError, UsageError
from engine.images.decode import MAX_PIXELS
from engine.images.sources import InMemory, Source
from engine.images.transforms import Views, make_views, read_views
from engine.masks.decoder import Backend, open_mask_decoder
from engine.masks.postprocess import shifted, to_masks
from engine.model.checkpoint import Checkpoint
from engine.pipeline.answering import Answered, Answerer, Asked, asked_of
from engine.pipeline.batch_size import batch_size
from engine.pipeline.line import Line
from engine.pipeline.regions import about_region
from engine.pipeline.scheduling import Questions, Scheduler
from engine.records import Failure, PhotoRecord, SegCap
from engine.text.prompts import TEMPLATES, Box, Families, Question, QuestionKind, Task, instruction
from engine.timing import Stages

Wanted = Literal["panoptic", "fine", "both"]
_Photograph = TypeVar("_Photograph", bound=Source | InMemory)


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked about each photograph, and how.

    Attributes:
        granularity: `panoptic`: one question about the whole scene; `fine`: one about each object in it;
            `both`: first the one, then the others.
        max_children: at most so many fine-grained questions per photograph.
        questions: the user's own, instead of the granularities.
        batch_size: answers in progress at a time; None is 8 on a CPU, and what the memory of a CUDA device holds.
        max_new_tokens: longest answer; None is what the model was made for.
        temperature: 0 is greedy decoding.
        seed: of sampling.
        forced: every answer is as long as it may be; to measure with.
        seg_every: as of `Sampling`; to measure with.
        decoder: what runs the mask decoder.
        max_pixels: larger photographs are refused.
    """

    granularity: Wanted = "both"
    max_children: int = 4
    questions: tuple[Question, ...] = ()
    batch_size: int | None = None
    max_new_tokens: int | None = None
    temperature: float = 0.0
    seed: int = 0
    forced: bool = False
    seg_every: int | None = None
    decoder: Backend = "onnx"
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        if (self.batch_size is not None and self.batch_size < 1) or self.max_children < 0 or self.temperature < 0:
            raise UsageError("batch_size must be at least 1, max_children and temperature at least 0")

    def asked(self, families: Families) -> tuple[Asked, ...]:
        """The questions about every photograph, in the wordings that the model knows, but for those that follow."""
        if self.questions:
            return asked_of(self.questions, families)
        return (Asked("panoptic", instruction(Task.PANOPTIC_SEGCAP, families=families)),)

    def to_json(self) -> dict[str, Any]:
        """JSON values: as a journal has them. Of one question of a kind the text, of several a list, None of none."""
        found = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "questions"}
        for kind in get_args(QuestionKind):
            texts = [question.text for question in self.questions if question.kind == kind]
            found[kind] = texts if len(texts) > 1 else next(iter(texts), None)
        return found

    @property
    def sampling(self) -> Sampling:
        """How tokens are chosen."""
        return Sampling(self.temperature, self.seed, self.forced, self.seg_every)

    @property
    def children(self) -> int:
        """Fine-grained questions that may follow the first one."""
        return self.max_children if not self.questions and self.granularity != "panoptic" else 0

    @property
    def only_children(self) -> bool:
        """Whether the first question only serves to find the objects."""
        return not self.questions and self.granularity == "fine"


class Pipeline:
    """Runs one model over any number of photographs.

    Attributes:
        batch_size: answers in progress at a time.

    Args:
        checkpoint: the model.
        options: what is asked, and how.
        stages: where time is noted.
    """

    def __init__(self, checkpoint: Checkpoint, options: Options | None = None, stages: Stages | None = None) -> None:
        self._options = options or Options()
        self._config = checkpoint.config
        self._stages = stages or Stages()
        decoder = open_mask_decoder(checkpoint, self._options.decoder)

        def answerer(slots: int, stages: Stages | None = None) -> Answerer:
            return Answerer(
                checkpoint,
                decoder,
                self._options.sampling,
                self._options.max_new_tokens or checkpoint.config.max_new_tokens,
                slots,
                stages,
            )

        self.batch_size = self._options.batch_size or batch_size(checkpoint.config, checkpoint.device, answerer)
        self._answerer = answerer(self.batch_size, self._stages)

    def run(
        self, sources: Iterable[_Photograph], *, in_order: bool = True
    ) -> Generator[tuple[_Photograph, PhotoRecord | Failure], None, None]:
        """One outcome per source; a photograph that can't be done gives a `Failure`.

        An outcome does not wait for `sources`, which may take any time to name the next photograph. Without `in_order`,
        it does not wait for those before it either, and none is lost with the program that could have been kept.
        """
        families = TEMPLATES[self._config.template].families
        usual = Questions(self._options.asked(families), self._options.children)

        def ask(source: _Photograph) -> Questions:
            return Questions(asked_of(source.questions, families)) if source.questions else usual

        line = Line(
            sources,
            self._read,
            ask,
            Scheduler(self._answerer, self._stages),
            self._record,
            ahead=2 * self.batch_size,
            in_order=in_order,
            stages=self._stages,
        )
        yield from line.outcomes()

    def ask(self, image: np.ndarray, questions: Sequence[str], box: Box | None = None) -> tuple[SegCap, ...]:
        """A conversation about one photograph: each question is put with the turns before it.

        Args:
            image: `(H, W, 3)` uint8, upright RGB.
            questions: in order; with a box there may be none, and a description of the region is asked for.
            box: the region that the first question is about.
        """
        left = top = 0
        boxes: tuple[Box, ...] = ()
        height, width = image.shape[:2]
        if box is not None:
            region = about_region(self._config, image, box, questions[0] if questions else None)
            questions = (region.text, *questions[1:])
            image, boxes, left, top = region.image, region.boxes, region.left, region.top
        views = make_views(image, self._config)
        side = self._config.pixel_encoder.image_size
        return tuple(
            answered.segcap(
                tuple(shifted(mask, left, top, height, width) for mask in to_masks(answered.low_res, views.frame, side))
            )
            for answered in self._answerer.converse(views, questions, boxes)
        )

    def _read(self, source: Source | InMemory) -> Views:
        with self._stages.measure("decode"):
            return self._answerer.upload(self._views(source))

    def _views(self, source: Source | InMemory) -> Views:
        if isinstance(source, Source):
            return read_views(source.path, self._config, max_pixels=self._options.max_pixels)
        if isinstance(source.pixels, PhotographError):
            raise source.pixels
        return make_views(source.pixels, self._config)

    def _record(self, source: Source | InMemory, views: Views, answers: list[Answered]) -> PhotoRecord:
        side = self._config.pixel_encoder.image_size
        if self._options.only_children and not source.questions:
            answers = [answer.orphan() for answer in answers[1:]]
        with self._stages.measure("finish", sum(len(answer.low_res.logits) for answer in answers)):
            segcaps = tuple(answer.segcap(to_masks(answer.low_res, views.frame, side)) for answer in answers)
        return PhotoRecord(source.file_name, views.frame.width, views.frame.height, segcaps, views.remarks)
