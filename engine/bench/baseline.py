"""What the baselines have in common: one photograph after the other, one question after the other.

They put the engine's questions to the engine's weights and must give its answers; what they lack is everything that
makes the engine fast. Nothing overlaps, and the only threads are those inside the libraries.

Legend: `P` image tokens, `D` hidden size, `T` tokens of the sequence, `V` vocabulary, `N` masks, `m` side of the
low-res masks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

import torch
from torch import Tensor

from engine.decoding.generator import whole_pass
from engine.decoding.sequence import PromptWriter
from engine.images.sources import Source
from engine.images.transforms import Views, read_views
from engine.masks.postprocess import low_res_areas, to_masks
from engine.model.checkpoint import Checkpoint
from engine.model.embedding import ImageEmbedding
from engine.model.llama import logits_of
from engine.model.mask_head import LowResMasks
from engine.pipeline.answering import Answered, Asked, fine_questions
from engine.pipeline.pipeline import Options
from engine.records import PhotoRecord, SegCap
from engine.text.grammar import parse
from engine.text.prompts import TEMPLATES


class Baseline(StrEnum):
    """A way to run the model that the engine is compared with."""

    PUBLIC = "public"
    GENEROUS = "generous"
    SA2VA = "sa2va"


@dataclass(frozen=True, slots=True)
class Done:
    """A photograph's record, and the tokens that were chosen for it, stop tokens included."""

    record: PhotoRecord
    tokens: int


@dataclass(frozen=True, slots=True)
class Said:
    """An answer: new ids without the stop token, `(n, D)` states behind its `[SEG]`, tokens chosen."""

    ids: tuple[int, ...]
    states: Tensor
    tokens: int
    truncated: bool


_Seen = TypeVar("_Seen")


class PlainLoop(ABC, Generic[_Seen]):
    """Answers about one photograph at a time.

    Args:
        checkpoint: the model.
        options: what the engine is asked, without questions of its own; decoding is greedy.
    """

    def __init__(self, checkpoint: Checkpoint, options: Options) -> None:
        self._config = checkpoint.config
        self._model = checkpoint.model
        self._tokenizer = checkpoint.tokenizer
        self._device, self._dtype = checkpoint.device, checkpoint.precision.dtype
        self._template = TEMPLATES[checkpoint.config.template]
        self._families = self._template.families
        self._first = options.asked(self._families)[0]
        self._writer = PromptWriter(checkpoint.config, checkpoint.tokenizer)
        self._limit = options.max_new_tokens or checkpoint.config.max_new_tokens
        self._children = options.children
        self._sampling = options.sampling

    @torch.inference_mode()
    def run(self, source: Source) -> Done:
        """All answers about a photograph, masks and their encoding included.

        Raises:
            PhotographError: if it can't be read.
        """
        views = read_views(source.path, self._config)
        seen = self._look(views)
        side = self._config.pixel_encoder.image_size
        panoptic, low_res, tokens = self._ask(seen, views, self._first)
        segcaps = [panoptic]
        if self._children:
            areas = low_res_areas(low_res.logits, views.frame, side).tolist()
            for asked in fine_questions(panoptic.answer, areas, self._families, self._children):
                fine, _, more = self._ask(seen, views, asked)
                segcaps.append(fine)
                tokens += more
        record = PhotoRecord(source.file_name, views.frame.width, views.frame.height, tuple(segcaps))
        return Done(record, tokens)

    @abstractmethod
    def _look(self, views: Views) -> _Seen:
        """What is kept of a photograph for all its questions."""

    @abstractmethod
    def _image_tokens(self, seen: _Seen) -> Tensor:
        """`(1, P, D)`, asked for at each new token."""

    @abstractmethod
    def _embedding(self, seen: _Seen) -> ImageEmbedding:
        """What the mask decoder reads, asked for at each of its calls."""

    @abstractmethod
    def _last_logits(self, states: Tensor) -> Tensor:
        """Of the states `(1, T, D)`, the logits `(V,)` behind the last."""

    def _pixels(self, views: Views) -> Tensor:
        """`(1, 3, S, S)`, the pixel view."""
        return views.pixels[None].to(self._device, self._dtype)

    def _view(self, views: Views) -> Tensor | None:
        """`(1, 3, s, s)`, the global view, for a model that takes one."""
        return None if views.clip is None else views.clip[None].to(self._device, self._dtype)

    def _ask(self, seen: _Seen, views: Views, asked: Asked) -> tuple[SegCap, LowResMasks, int]:
        """The answer to a question, its low-res masks, and how many tokens it took."""
        said = self._say(seen, views.grid, self._writer.question(asked.instruction))
        answer = parse(self._tokenizer.decode(said.ids))
        low_res = self._masks(seen, said.states)
        masks = to_masks(low_res, views.frame, self._config.pixel_encoder.image_size)
        return Answered(asked, answer, low_res, said.truncated).segcap(masks), low_res, said.tokens

    def _say(self, seen: _Seen, grid: tuple[int, int] | None, question: Sequence[int]) -> Said:
        """Greedy decoding; each token takes a pass over the whole sequence."""
        eos, offset = self._tokenizer.eos, self._config.seg_state_offset
        room = self._model.language_model.config.max_position_embeddings - len(self._writer.prefix) - len(question)
        limit = min(self._limit, room)
        ids: list[int] = []
        tokens = 0
        stopped = False
        text: list[int] = []
        states = torch.empty(0)
        while len(ids) < limit and not stopped:
            text = [*question, *ids]
            states = self._states(seen, grid, text)
            logits = self._last_logits(states)
            if self._sampling.forced:
                logits[eos] = -torch.inf
            imposed = self._sampling.imposed(len(ids), self._tokenizer.seg)
            token = int(logits.argmax()) if imposed is None else imposed
            tokens += 1
            stopped = token == eos
            if not stopped:
                ids.append(token)
        if not stopped and offset == 0 and ids[-1] == self._tokenizer.seg:
            # A [SEG] that came last still needs the state that it gives itself.
            text = [*question, *ids]
            states = self._states(seen, grid, text)
        # Photographs may have prefixes of different lengths.
        start = states.shape[1] - len(text) + len(question) + offset
        places = [start + place for place, token in enumerate(ids) if token == self._tokenizer.seg]
        return Said(tuple(ids), states[0, places], tokens, not stopped)

    def _states(self, seen: _Seen, grid: tuple[int, int] | None, text: Sequence[int]) -> Tensor:
        """`(1, T, D)`, last-layer states of the prefix and `text`, all of them computed anew."""
        tokens = self._image_tokens(seen)
        ids = torch.tensor([text], device=tokens.device)
        prefix = self._writer.prefix_of(tokens.shape[1], grid)
        normed = self._config.seg_state_normed
        return whole_pass(self._model.language_model, prefix, tokens, ids, normed=normed)

    def _logits(self, states: Tensor) -> Tensor:
        """Of some states, as `_states` gives them."""
        return logits_of(self._model.language_model, states, normed=self._config.seg_state_normed)

    def _masks(self, seen: _Seen, states: Tensor) -> LowResMasks:
        """Of `N` states, by the network's own decoder."""
        embedding = self._embedding(seen)
        prompts = self._model.prompt_vectors(states)
        index = torch.zeros(len(prompts), dtype=torch.long, device=prompts.device)
        return self._model.mask_head.judged(embedding, prompts, index)
