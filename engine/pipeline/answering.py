"""What is asked of one model and what it answers: encoders, prompts, masks, each for several photographs at once.

Legend: `B` photographs, `N` masks, `P` image tokens, `m` side of the low-res masks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.decoding.generator import Generator
from engine.decoding.row import Generated, Request, Sampling
from engine.decoding.sequence import PromptWriter, Turn
from engine.decoding.step import is_recordable
from engine.decoding.words import Words
from engine.errors import UsageError
from engine.images.transforms import Views, region_boxes
from engine.masks.decoder import MaskDecoder
from engine.masks.postprocess import low_res_areas
from engine.memory import out_of_memory
from engine.model.checkpoint import Checkpoint
from engine.model.config import TilesConfig
from engine.model.embedding import ImageEmbedding
from engine.model.mask_head import LowResMasks
from engine.model.pixel_encoder import TOGETHER
from engine.pipeline.regions import covered_cells, repeated
from engine.records import Answer, Granularity, Mask, Parent, SegCap
from engine.text import granularity
from engine.text.grammar import named, parse
from engine.text.prompts import REGION, TEMPLATES, Box, Families, Question, Task, instruction
from engine.timing import Stages


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it is put to the model, and where it comes from.

    Attributes:
        name: of the object that is looked for: masks that the answer gives no name have this one.
    """

    granularity: Granularity
    instruction: str
    parent: Parent | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer whose masks are still low-res."""

    asked: Asked
    answer: Answer
    low_res: LowResMasks
    truncated: bool

    def segcap(self, masks: tuple[Mask, ...]) -> SegCap:
        """The record, once the masks are in the original frame."""
        asked = self.asked
        return SegCap(asked.granularity, asked.instruction, self.answer, masks, asked.parent, self.truncated)

    def orphan(self) -> Answered:
        """The same answer, its parent forgotten."""
        return replace(self, asked=replace(self.asked, parent=None))


@dataclass(frozen=True, slots=True)
class Encoded:
    """One photograph as the model knows it.

    Attributes:
        tokens: `(P, D)` image tokens, or wider with their deep features.
        embedding: what the mask decoder reads, of this photograph alone.
        grid: rows and columns of its image tokens, for a language model that asks for them.
    """

    tokens: Tensor
    embedding: ImageEmbedding
    grid: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A generated answer whose masks are not decoded yet."""

    asked: Asked
    photograph: Encoded
    generated: Generated


def asked_of(questions: Sequence[Question], families: Families) -> tuple[Asked, ...]:
    """A user's questions as they are put to the model, in the wordings that it knows."""

    def asked(question: Question) -> Asked:
        if question.kind == "instruction":
            return Asked("custom", question.text)
        if question.kind == "label":
            return Asked("fine", instruction(Task.FINE_SEGCAP, label=question.text, families=families))
        words = instruction(Task.REFERRING, label=f"the {question.text}", families=families)
        return Asked("custom", words, name=question.text)

    return tuple(map(asked, questions))


def fine_questions(panoptic: Answer, areas: Sequence[float], families: Families, limit: int) -> list[Asked]:
    """The fine-grained questions that a panoptic answer leads to.

    Args:
        panoptic: the answer.
        areas: share of the photograph of each of its masks.
        families: the wordings that the model knows.
        limit: at most so many.
    """
    return [
        Asked("fine", instruction(Task.FINE_SEGCAP, label=child.label, families=families), Parent(0, child.seg))
        for child in granularity.children(panoptic, areas, limit)
    ]


class Answerer:
    """The parts of one model, ready to answer.

    Args:
        checkpoint: the model.
        decoder: its mask decoder.
        sampling: how tokens are chosen.
        limit: longest answer, in tokens.
        slots: answers in progress at a time.
        stages: where time is noted.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        decoder: MaskDecoder,
        sampling: Sampling,
        limit: int,
        slots: int = 8,
        stages: Stages | None = None,
    ) -> None:
        self._model = checkpoint.model
        self._pixel_encoder = checkpoint.pixel_encoder
        self._tokenizer = checkpoint.tokenizer
        template = TEMPLATES[checkpoint.config.template]
        self._families = template.families
        self._stop = template.stop if template.spelt else None
        self._side = checkpoint.config.pixel_encoder.image_size
        self._low_side = checkpoint.config.low_res_side
        self._device, self._dtype = checkpoint.device, checkpoint.precision.dtype
        self._writer = PromptWriter(checkpoint.config, checkpoint.tokenizer)
        self._words = Words(checkpoint.tokenizer)
        self._stages = stages or Stages()
        self.generator = Generator(
            checkpoint.model,
            checkpoint.tokenizer,
            sampling,
            slots,
            self._stages,
            # Layers that look at their numbers can't be recorded.
            recorded=self._device.type == "cuda"
            and not checkpoint.precision.quantised
            and is_recordable(checkpoint.model.language_model),
            stop=self._stop,
        )
        self._decoder = decoder
        self._limit = limit

    def upload(self, views: Views) -> Views:
        """Copy a photograph to a CUDA device while that works on others; for the threads that read photographs."""
        if self._device.type != "cuda":
            return views
        pixels, clip = views.pixels.to(self._dtype), None if views.clip is None else views.clip.to(self._dtype)
        try:
            with self.generator.alone:
                # A stream of this call's own: the copy waits for nothing, and only this thread waits for the copy.
                stream = torch.cuda.Stream(self._device)
                with torch.cuda.stream(stream):
                    moved = replace(
                        views, pixels=self._copied(pixels), clip=None if clip is None else self._copied(clip)
                    )
                stream.synchronize()
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            return views  # copied when its turn comes
        return moved

    def _copied(self, tensor: Tensor) -> Tensor:
        return tensor.pin_memory().to(self._device, non_blocking=True)

    @torch.inference_mode()
    def encode(self, views: Sequence[Views]) -> list[Encoded]:
        """Both encoders and the projector, for several photographs in one call."""
        encoded: list[Encoded] = []
        with self._stages.measure("encode", len(views)):
            for start in range(0, len(views), TOGETHER):
                encoded += self._encoded(views[start : start + TOGETHER])
        return encoded

    def request(self, photograph: Encoded, asked: Asked) -> Request:
        """A question about a photograph, for the generator."""
        prefix = self._writer.prefix_of(len(photograph.tokens), photograph.grid)
        return Request(prefix, photograph.tokens, self._writer.question(asked.instruction), self._limit)

    @torch.inference_mode()
    def finish(self, drafts: Sequence[Draft]) -> list[Answered]:
        """Decode the masks of several answers in one call."""
        counts = [len(draft.generated.seg_states) for draft in drafts]
        with self._stages.measure("masks", sum(counts)):
            low_res = self._low_res(drafts, counts)
        return [
            Answered(
                draft.asked, named(self._parsed(draft.generated), draft.asked.name), masks, draft.generated.truncated
            )
            for draft, masks in zip(drafts, low_res, strict=True)
        ]

    def follow(self, panoptic: Answered, view: Views, limit: int) -> list[Asked]:
        """The fine-grained questions that a panoptic answer leads to, at most `limit`."""
        areas = low_res_areas(panoptic.low_res.logits, view.frame, self._side).tolist()
        return fine_questions(panoptic.answer, areas, self._families, limit)

    @torch.inference_mode()
    def converse(self, views: Views, questions: Sequence[str], boxes: Sequence[Box] = ()) -> list[Answered]:
        """Answers to questions about one photograph, each put with the turns before it.

        Args:
            views: of the photograph.
            questions: one or more.
            boxes: the regions of the `<bbox>` tokens in them, for a model with a region encoder.

        Raises:
            UsageError: if questions and boxes don't fit.
        """
        if boxes and self._tokenizer.region is None:
            raise UsageError(f"the model reads regions, but its tokenizer has no token {REGION} or the like")
        (photograph,) = self.encode([views])
        regions, marks = self._regions(views, photograph, boxes) if boxes else (None, [])
        answers: list[Answered] = []
        for question in questions:
            history = [Turn(_marked(one.asked.instruction, marks), one.answer.raw) for one in answers]
            ids = self._writer.question(_marked(question, marks), history)
            tokens = photograph.tokens[None]
            prefix = self._writer.prefix_of(len(photograph.tokens), photograph.grid)
            (text,) = self.generator.generate(prefix, tokens, [ids], self._limit, [regions])
            answers += self.finish([Draft(Asked("custom", question), photograph, text)])
        return answers

    def _parsed(self, generated: Generated) -> Answer:
        probabilities = self._words.between_tags(generated.ids, generated.probabilities)
        text = self._tokenizer.decode(generated.ids)
        return parse(text if self._stop is None else text.removesuffix(self._stop).rstrip(), probabilities)

    def _encoded(self, views: Sequence[Views]) -> list[Encoded]:
        pixels = self._stacked([view.pixels for view in views])
        features = self._pixel_encoder(pixels)
        tokens = self._model.photograph_tokens(features, self._clips(views))
        grids = (view.grid for view in views)
        return [Encoded(*parts) for parts in zip(tokens, features.embedding.split(), grids, strict=True)]

    def _clips(self, views: Sequence[Views]) -> list[Tensor]:
        return self._there([view.clip for view in views if view.clip is not None])

    def _stacked(self, tensors: Sequence[Tensor]) -> Tensor:
        return torch.stack(self._there(tensors))

    def _there(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Uploaded or not, on the device in the model's type."""
        there = [tensor.to(self._device, self._dtype) for tensor in tensors]
        if self._device.type == "cuda":
            for tensor in there:
                # Its memory belongs to another stream, which may use it again once this one has read it.
                tensor.record_stream(torch.cuda.current_stream(self._device))
        return there

    def _regions(self, views: Views, photograph: Encoded, boxes: Sequence[Box]) -> tuple[Tensor, list[str]]:
        """The vectors `(R, D)` of regions, and what stands for each of them in a question."""
        encoder = self._model.config.global_encoder
        if isinstance(encoder, TilesConfig):
            side = math.isqrt(encoder.tokens_per_tile)
            frame = views.frame
            cells = [covered_cells(box, frame.height, frame.width, side) for box in boxes]
            last = photograph.tokens[-encoder.tokens_per_tile :]
            return torch.cat([last[numbers] for numbers in cells]), [repeated(len(numbers)) for numbers in cells]
        clip = torch.stack(self._clips([views]))  # a region encoder reads the CLIP tower
        index = torch.zeros(len(boxes), dtype=torch.long, device=clip.device)
        vectors = self._model.region_vectors(clip, region_boxes(boxes).to(clip.device), index)
        return vectors, [REGION] * len(boxes)

    def _low_res(self, drafts: Sequence[Draft], counts: Sequence[int]) -> list[LowResMasks]:
        """Low-res masks of each answer, all from one decoder call."""
        if not sum(counts):
            return [LowResMasks(torch.zeros(0, self._low_side, self._low_side)) for _ in drafts]
        # Several answers may be about one photograph, whose embedding goes in once.
        photographs = list({id(draft.photograph): draft.photograph for draft in drafts}.values())
        place = {id(photograph): number for number, photograph in enumerate(photographs)}
        states = torch.cat([draft.generated.seg_states for draft in drafts])
        index = torch.tensor([place[id(draft.photograph)] for draft in drafts]).repeat_interleave(torch.tensor(counts))
        embedding = ImageEmbedding.join([photograph.embedding for photograph in photographs])
        low_res = self._decoder(embedding, self._model.prompt_vectors(states), index.to(states.device))
        return low_res.cpu().split(counts)


def _marked(question: str, marks: Sequence[str]) -> str:
    """A question with what stands for its regions, in order; a region too few or too many is left for the check."""
    for mark in marks if REGION not in marks else ():
        question = question.replace(REGION, mark, 1)
    return question
