"""Conversations about photographs to tensors.

All conversations of a photograph share one row: the prefix (with the image tokens) stands there once, and each
conversation follows as a segment that sees the prefix and itself, at the positions that it would have alone.
So the image is encoded and prefilled once for all its questions, and the states are those of inference.

Legend: `B` photographs, `L` length of a row, `K` tokens to be learned, `U` names that must not come again, `N` masks,
`S` side of the pixel view, `s` side of the CLIP view, `g` side of the image embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.decoding.sequence import PromptWriter, Turn
from engine.images.transforms import make_views
from engine.model.config import ModelConfig
from engine.model.tokenizers import TextTokenizer
from trainer.data.compose import Conversation
from trainer.data.scene import IGNORE, Scene
from trainer.data.source import Room
from trainer.learning.repetition import UsedNames
from trainer.learning.targets import LowResTargets, MaskTargets

_TEMPLATE_BYTES = 100
"""What a chat template writes around a question and its answer, generously."""


@dataclass(frozen=True, slots=True)
class Example:
    """One photograph with the conversations that fit into its row.

    Attributes:
        name: of the photograph, for messages.
        kind: the set that it comes from.
        pixels: `(3, S, S)`.
        view: `(3, s, s)`, the CLIP view, or None where the model does not need one.
        semantic: `(2g, 2g)` int64, `IGNORE` where nothing is known.
        ids: text ids of all segments, one after the other.
        segment: the number of the segment of each id, from 1.
        position: the position of each id.
        labels: the id to be predicted AT each id, or -1.
        used_names: indices into `ids`, each with an id that must not come there.
        seg_states: indices into `ids` of the states that drive the known masks.
        targets: the `N` masks, in the order of `seg_states`.
        left_out: where the conversations come from for which the model has no room.
    """

    name: str
    kind: str
    pixels: Tensor
    view: Tensor | None
    semantic: Tensor
    ids: list[int]
    segment: list[int]
    position: list[int]
    labels: list[int]
    used_names: list[tuple[int, int]]
    seg_states: list[int]
    targets: MaskTargets
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """Tensors of a step; flat indices run over `B * L`."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    pixels: Tensor  # (B, 3, S, S)
    view: Tensor | None  # (B, 3, s, s)
    semantic: Tensor  # (B, 2g, 2g)
    ids: Tensor  # (B, L - prefix)
    attention: Tensor  # (B, 1, L, L) bool, True where a query sees a key
    positions: Tensor  # (B, L)
    label_index: Tensor  # (K,)
    label_ids: Tensor  # (K,)
    used_rows: Tensor  # (U,) where in K a name must not come again
    used_ids: Tensor  # (U,)
    seg_index: Tensor  # (N,)
    targets: MaskTargets
    left_out: tuple[str, ...] = ()

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        moved: dict[str, Any] = {
            name: value.to(device) for name, value in values.items() if isinstance(value, Tensor | MaskTargets)
        }
        return replace(self, **moved)


class ExampleWriter:
    """Writes one scene and its conversations as an `Example`.

    Args:
        config: of the model.
        tokenizer: its tokenizer.
        text_tokens: at most so many tokens of a photograph's conversations.
        targets: the kind of targets to write.
    """

    def __init__(
        self,
        config: ModelConfig,
        tokenizer: TextTokenizer,
        text_tokens: int,
        targets: type[MaskTargets] = LowResTargets,
    ) -> None:
        self._config = config
        self._writer = PromptWriter(config, tokenizer)
        self._seg = tokenizer.seg
        self._used_names = UsedNames(tokenizer)
        self._text_tokens = text_tokens
        self._targets = targets

    @property
    def prefix_length(self) -> int:
        """Tokens before the first segment."""
        return len(self._writer.prefix)

    def room(self, positions: int) -> Room:
        """What a model with so many positions can read of a conversation."""
        tokens = positions - self.prefix_length
        return Room(tokens, partial(self._fits, tokens))

    def _fits(self, tokens: int, turns: Sequence[Turn]) -> bool:
        """Raises ValueError where the conversation can't be written; see `PromptWriter.conversation`."""
        written = sum(len(turn.question.encode()) + len(turn.answer.encode()) + _TEMPLATE_BYTES for turn in turns)
        # Hardly a tokenizer makes more tokens than bytes, and most are far from it: spares the second look.
        return 2 * written <= tokens or len(self._writer.conversation(turns).ids) <= tokens

    def write(self, scene: Scene, conversations: Sequence[Conversation], left_out: tuple[str, ...] = ()) -> Example:
        """Conversations are taken in order as long as they fit into the row; the first always is, whole."""
        ids: list[int] = []
        segment: list[int] = []
        position: list[int] = []
        labels: list[int] = []
        used_names: list[tuple[int, int]] = []
        seg_states: list[int] = []
        masks: list[np.ndarray] = []
        for conversation in conversations:
            text = self._writer.conversation(conversation.turns)
            whole = list(text.ids)
            if ids and len(ids) + len(whole) > self._text_tokens:
                continue
            number = segment[-1] + 1 if segment else 1
            start = len(ids)
            states = [
                start + i + self._config.seg_state_offset
                for i, token in enumerate(whole)
                if token == self._seg and text.learned[i]
            ]
            if len(states) != len(conversation.masks):
                raise ValueError(f"{scene.name}: {len(states)} [SEG] tokens but {len(conversation.masks)} masks")
            for state, mask in zip(states, conversation.masks, strict=True):
                if mask is not None:
                    seg_states.append(state)
                    masks.append(mask)
            used_names += [(start + at, name) for at, name in self._used_names.find(whole, text.learned)]
            ids += whole
            segment += [number] * len(whole)
            position += range(self.prefix_length, self.prefix_length + len(whole))
            # An id predicts the next one, where that belongs to an answer; the last one predicts nothing.
            labels += [after if learned else -1 for after, learned in zip(whole[1:], text.learned[1:], strict=True)]
            labels += [-1]
        views = make_views(scene.image, self._config)
        pixel = self._config.pixel_encoder
        return Example(
            name=scene.name,
            kind=scene.kind,
            pixels=views.pixels,
            view=views.clip,
            semantic=_semantic(scene.semantic, pixel.image_size, 2 * pixel.grid),
            ids=ids,
            segment=segment,
            position=position,
            labels=labels,
            used_names=used_names,
            seg_states=seg_states,
            targets=self._targets.write(masks, views.frame, self._config),
            left_out=left_out,
        )


def collate(examples: Sequence[Example], prefix: int, pad: int) -> Batch:
    """Put examples into one batch, padded on the right.

    Args:
        examples: `B` of them.
        prefix: length of the prefix in tokens.
        pad: id of the padding token.
    """
    text = max(len(example.ids) for example in examples)
    rows, length = len(examples), prefix + text
    ids = torch.full((rows, text), pad)
    segment = torch.full((rows, length), -1)
    segment[:, :prefix] = 0
    positions = torch.arange(length).repeat(rows, 1)
    label_index: list[int] = []
    label_ids: list[int] = []
    used_rows: list[int] = []
    seg_index: list[int] = []
    for row, example in enumerate(examples):
        count = len(example.ids)
        ids[row, :count] = torch.tensor(example.ids)
        segment[row, prefix : prefix + count] = torch.tensor(example.segment)
        positions[row, prefix : prefix + count] = torch.tensor(example.position)
        base = row * length + prefix
        predicted: dict[int, int] = {}
        for offset, label in enumerate(example.labels):
            if label >= 0:
                predicted[offset + 1] = len(label_index)
                label_index.append(base + offset)
                label_ids.append(label)
        used_rows += [predicted[place] for place, _ in example.used_names]
        seg_index += [base + state for state in example.seg_states]
    same = (segment[:, :, None] == segment[:, None, :]) | (segment[:, None, :] == 0)
    attention = same & torch.ones(length, length, dtype=torch.bool).tril()
    views = [example.view for example in examples if example.view is not None]
    return Batch(
        names=tuple(example.name for example in examples),
        kinds=tuple(example.kind for example in examples),
        pixels=torch.stack([example.pixels for example in examples]),
        view=torch.stack(views) if views else None,
        semantic=torch.stack([example.semantic for example in examples]),
        ids=ids,
        attention=attention[:, None],
        positions=positions,
        label_index=torch.tensor(label_index),
        label_ids=torch.tensor(label_ids),
        used_rows=torch.tensor(used_rows, dtype=torch.long),
        used_ids=torch.tensor([name for one in examples for _, name in one.used_names], dtype=torch.long),
        seg_index=torch.tensor(seg_index, dtype=torch.long),
        targets=type(examples[0].targets).join([example.targets for example in examples]),
        left_out=tuple(name for example in examples for name in example.left_out),
    )


def _semantic(labels: np.ndarray | None, side: int, size: int) -> Tensor:
    """The class of the middle of each cell; the photograph was resized to the pixel view before."""
    if labels is None:
        return torch.full((size, size), IGNORE, dtype=torch.long)
    padded = torch.full((side, side), IGNORE, dtype=torch.long)
    padded[: labels.shape[0], : labels.shape[1]] = torch.from_numpy(labels.astype(np.int64))
    step = side // size
    return padded[step // 2 :: step, step // 2 :: step].contiguous()
