"""Conversations about photographs to tensors.

All conversations of a photograph share one row: the prefix (with the image tokens) stands there once, and each
conversation follows as a segment that sees the prefix and itself, at the positions that it would have alone.
So the image is encoded and prefilled once for all its questions, and the states are those of inference.

Legend: `B` photographs, `L` length of a row, `K` tokens to be learned, `N` masks, `S` side of the pixel view,
`m` side of the low-res masks, `g` side of the image embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.images.transforms import pixel_view
from engine.model.config import ModelConfig
from engine.model.tokenizer import TextTokenizer
from engine.sequence import PromptWriter
from trainer.data.compose import Conversation
from trainer.data.scene import IGNORE, Scene


@dataclass(frozen=True, slots=True)
class Example:
    """One photograph with the conversations that fit into its row.

    Attributes:
        kind: the set that it comes from.
        pixels: `(3, S, S)`.
        semantic: `(2g, 2g)` int64, `IGNORE` where nothing is known.
        ids: text ids of all segments, one after the other.
        segment: the number of the segment of each id, from 1.
        position: the position of each id.
        labels: the id to be predicted AT each id, or -1.
        seg_states: indices into `ids` of the states that drive masks.
        masks: `(N, m, m)` float, the share of a cell that is foreground.
        valid: `(m, m)` float, 1 inside the photograph.
    """

    kind: str
    pixels: Tensor
    semantic: Tensor
    ids: list[int]
    segment: list[int]
    position: list[int]
    labels: list[int]
    seg_states: list[int]
    masks: Tensor
    valid: Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """Tensors of a step; flat indices run over `B * L`."""

    kinds: tuple[str, ...]
    pixels: Tensor  # (B, 3, S, S)
    semantic: Tensor  # (B, 2g, 2g)
    ids: Tensor  # (B, L - prefix)
    attention: Tensor  # (B, 1, L, L) bool, True where a query sees a key
    positions: Tensor  # (B, L)
    label_index: Tensor  # (K,)
    label_ids: Tensor  # (K,)
    seg_index: Tensor  # (N,)
    image_index: Tensor  # (N,)
    masks: Tensor  # (N, m, m)
    valid: Tensor  # (B, m, m)

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        moved: dict[str, Any] = {name: v.to(device) for name, v in values.items() if isinstance(v, Tensor)}
        return replace(self, **moved)


class ExampleWriter:
    """Writes one scene and its conversations as an `Example`."""

    def __init__(self, config: ModelConfig, tokenizer: TextTokenizer, text_tokens: int) -> None:
        self._config = config
        self._writer = PromptWriter(config, tokenizer)
        self._seg = tokenizer.seg
        self._text_tokens = text_tokens

    @property
    def prefix_length(self) -> int:
        """Tokens before the first segment."""
        return len(self._writer.prefix)

    def write(self, scene: Scene, conversations: Sequence[Conversation]) -> Example:
        """Conversations are taken in order as long as they fit; the first always is."""
        ids: list[int] = []
        segment: list[int] = []
        position: list[int] = []
        labels: list[int] = []
        seg_states: list[int] = []
        masks: list[np.ndarray] = []
        for conversation in conversations:
            question = self._writer.question(conversation.instruction)
            answer = self._writer.answer(conversation.answer)
            whole = question + answer
            if ids and len(ids) + len(whole) > self._text_tokens:
                continue
            number = segment[-1] + 1 if segment else 1
            start = len(ids)
            seg_states += [
                start + i + self._config.seg_state_offset
                for i, token in enumerate(whole)
                if token == self._seg and i >= len(question)
            ]
            ids += whole
            segment += [number] * len(whole)
            position += range(self.prefix_length, self.prefix_length + len(whole))
            # The last id of the question predicts the first of the answer; the stop token predicts nothing.
            labels += [-1] * (len(question) - 1) + answer + [-1]
            masks += conversation.masks
        if len(masks) != len(seg_states):
            raise ValueError(f"{scene.name}: {len(seg_states)} [SEG] tokens but {len(masks)} masks")
        side = self._config.pixel_encoder.image_size
        return Example(
            kind=scene.kind,
            pixels=pixel_view(scene.image, self._config.pixel_encoder),
            semantic=_semantic(scene.semantic, side, 2 * self._config.pixel_encoder.grid),
            ids=ids,
            segment=segment,
            position=position,
            labels=labels,
            seg_states=seg_states,
            masks=_low_res(masks, side, 4 * self._config.pixel_encoder.grid),
            valid=_low_res([np.ones(scene.image.shape[:2], bool)], side, 4 * self._config.pixel_encoder.grid)[0],
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
    label_index, label_ids, seg_index, image_index = [], [], [], []
    for row, example in enumerate(examples):
        count = len(example.ids)
        ids[row, :count] = torch.tensor(example.ids)
        segment[row, prefix : prefix + count] = torch.tensor(example.segment)
        positions[row, prefix : prefix + count] = torch.tensor(example.position)
        base = row * length + prefix
        for offset, label in enumerate(example.labels):
            if label >= 0:
                label_index.append(base + offset)
                label_ids.append(label)
        seg_index += [base + state for state in example.seg_states]
        image_index += [row] * len(example.seg_states)
    same = (segment[:, :, None] == segment[:, None, :]) | (segment[:, None, :] == 0)
    attention = same & torch.ones(length, length, dtype=torch.bool).tril()
    return Batch(
        kinds=tuple(example.kind for example in examples),
        pixels=torch.stack([example.pixels for example in examples]),
        semantic=torch.stack([example.semantic for example in examples]),
        ids=ids,
        attention=attention[:, None],
        positions=positions,
        label_index=torch.tensor(label_index),
        label_ids=torch.tensor(label_ids),
        seg_index=torch.tensor(seg_index, dtype=torch.long),
        image_index=torch.tensor(image_index, dtype=torch.long),
        masks=torch.cat([example.masks for example in examples]),
        valid=torch.stack([example.valid for example in examples]),
    )


def _low_res(masks: Sequence[np.ndarray], side: int, low: int) -> Tensor:
    """`(h, w)` masks to the share of foreground in each cell of the padded low-res frame `(N, low, low)`."""
    if not masks:
        return torch.zeros(0, low, low)
    padded = torch.zeros(len(masks), side, side)
    height, width = masks[0].shape
    padded[:, :height, :width] = torch.from_numpy(np.stack(masks)).float()
    return F.adaptive_avg_pool2d(padded, low)


def _semantic(labels: np.ndarray | None, side: int, size: int) -> Tensor:
    padded = torch.full((side, side), IGNORE, dtype=torch.long)
    if labels is not None:
        padded[: labels.shape[0], : labels.shape[1]] = torch.from_numpy(labels.astype(np.int64))
    step = side // size
    return padded[step // 2 :: step, step // 2 :: step].contiguous()
