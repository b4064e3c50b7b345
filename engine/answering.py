"""A batch of photographs to their answers: encoders once, then question after question, masks in one call each.

Legend: `B` photographs, `N` masks, `m` side of the low-res masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine import granularity
from engine.decoding import Generated, Generator, Sampling
from engine.errors import UsageError
from engine.grammar import parse
from engine.images.transforms import Views, region_boxes
from engine.masks.decoder import MaskDecoder
from engine.masks.postprocess import low_res_areas
from engine.model.checkpoint import Checkpoint
from engine.model.mglmm import ImageFeatures
from engine.prompts import REGION, TEMPLATES, Box, Task, instruction
from engine.records import Answer, Granularity, Mask, Parent, SegCap
from engine.sequence import PromptWriter, Turn


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it is put to the model, and where it comes from."""

    granularity: Granularity
    instruction: str
    parent: Parent | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer whose masks are still low-res logits `(N, m, m)`."""

    asked: Asked
    answer: Answer
    low_res: Tensor
    truncated: bool

    def segcap(self, masks: tuple[Mask, ...]) -> SegCap:
        """The record, once the masks are in the original frame."""
        asked = self.asked
        return SegCap(asked.granularity, asked.instruction, self.answer, masks, asked.parent, self.truncated)

    def orphan(self) -> Answered:
        """The same answer, its parent forgotten."""
        return replace(self, asked=replace(self.asked, parent=None))


class Answerer:
    """Answers questions about batches of photographs with one model."""

    def __init__(self, checkpoint: Checkpoint, decoder: MaskDecoder, sampling: Sampling, limit: int) -> None:
        self._model = checkpoint.model
        self._tokenizer = checkpoint.tokenizer
        self._families = TEMPLATES[checkpoint.config.template].families
        self._side = checkpoint.config.pixel_encoder.image_size
        self._device, self._dtype = checkpoint.device, checkpoint.precision.dtype
        self._writer = PromptWriter(checkpoint.config, checkpoint.tokenizer)
        self._generator = Generator(checkpoint.model, checkpoint.tokenizer, sampling)
        self._decoder = decoder
        self._limit = limit

    @torch.inference_mode()
    def answer(self, views: Sequence[Views], first: Asked, children: int) -> list[list[Answered]]:
        """Answers of each photograph: to `first`, then to at most `children` fine-grained questions it leads to."""
        features = self._encode(views)
        rows = list(range(len(views)))
        answers = [[answered] for answered in self._round(features, rows, [first] * len(views))]
        if children:
            follow = [
                (row, asked)
                for row, view in enumerate(views)
                for asked in self._follow(answers[row][0], view, children)
            ]
            # As many rows at a time as there are photographs: what fits once fits again.
            for start in range(0, len(follow), len(views)):
                some = follow[start : start + len(views)]
                found = self._round(features, [row for row, _ in some], [asked for _, asked in some])
                for (row, _), answered in zip(some, found, strict=True):
                    answers[row].append(answered)
        return answers

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
            raise UsageError(f"the model has a region encoder, but its tokenizer has no token {REGION}")
        features = self._encode([views])
        regions = None
        if boxes:
            clip = self._clip([views])
            assert clip is not None  # a region encoder reads the CLIP tower
            index = torch.zeros(len(boxes), dtype=torch.long, device=clip.device)
            regions = [self._model.region_vectors(clip, region_boxes(boxes).to(clip.device), index)]
        answers: list[Answered] = []
        for question in questions:
            history = [Turn(one.asked.instruction, one.answer.raw) for one in answers]
            ids = self._writer.question(question, history)
            answers += self._ask(features, [0], [Asked("custom", question)], [ids], regions)
        return answers

    def _encode(self, views: Sequence[Views]) -> ImageFeatures:
        pixels = torch.stack([view.pixels for view in views]).to(self._device, self._dtype)
        return self._model.encode_images(pixels, self._clip(views))

    def _clip(self, views: Sequence[Views]) -> Tensor | None:
        clips = [view.clip for view in views if view.clip is not None]
        return torch.stack(clips).to(self._device, self._dtype) if clips else None

    def _follow(self, panoptic: Answered, view: Views, limit: int) -> list[Asked]:
        areas = low_res_areas(panoptic.low_res, view.frame, self._side).tolist()
        return [
            Asked(
                "fine",
                instruction(Task.FINE_SEGCAP, label=child.label, families=self._families),
                Parent(0, child.seg),
            )
            for child in granularity.children(panoptic.answer, areas, limit)
        ]

    def _round(self, features: ImageFeatures, rows: Sequence[int], asked: Sequence[Asked]) -> list[Answered]:
        """One question for each of `rows` (indices of photographs, repeats allowed)."""
        return self._ask(features, rows, asked, [self._writer.question(one.instruction) for one in asked], None)

    def _ask(
        self,
        features: ImageFeatures,
        rows: Sequence[int],
        asked: Sequence[Asked],
        questions: Sequence[Sequence[int]],
        regions: Sequence[Tensor] | None,
    ) -> list[Answered]:
        """Generate and decode masks for `questions`, the ids of what is asked."""
        tokens = features.tokens[rows]
        generated = self._generator.generate(self._writer.prefix, tokens, questions, self._limit, regions)
        low_res = self._masks(features, rows, generated)
        return [
            Answered(one, parse(self._tokenizer.decode(text.ids)), masks, text.truncated)
            for one, text, masks in zip(asked, generated, low_res, strict=True)
        ]

    def _masks(self, features: ImageFeatures, rows: Sequence[int], generated: Sequence[Generated]) -> list[Tensor]:
        """Low-res masks of each answer, all from one decoder call."""
        embedding = features.embedding
        assert embedding is not None  # `_encode` gives the pixel view
        counts = [len(text.seg_states) for text in generated]
        if not sum(counts):
            side = 4 * embedding.shape[-1]
            return [torch.zeros(0, side, side) for _ in generated]
        prompts = self._model.prompt_vectors(torch.cat([text.seg_states for text in generated]))
        image_index = torch.tensor(rows).repeat_interleave(torch.tensor(counts)).to(prompts.device)
        return list(self._decoder(embedding, prompts, image_index).cpu().split(counts))
