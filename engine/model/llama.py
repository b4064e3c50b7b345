"""The language model's layers over a KV cache of slots, for decoding many answers that begin and end at any time.

It runs the modules of transformers' own model (so their weights may be quantised or adapted) with an attention of ours:
each row writes its keys and values into its slot and sees what stands in the slot up to itself.

Legend: `S` slots, `B` rows of a call, `T` tokens of a row, `D` hidden size, `H` heads, `K` key-value heads,
`d` channels of a head, `L` length of a slot, `F` deep features of a token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import PreTrainedModel

from engine.errors import UsageError

SUPPORTED = ("llama", "mistral", "qwen2", "qwen3", "qwen3_vl_text")
"""Architectures whose layers are these."""


@dataclass(frozen=True, slots=True)
class PrefixCache:
    """Keys and values of the first tokens of a slot: `(K, P, d)` for each layer, keys before values."""

    layers: tuple[tuple[Tensor, Tensor], ...]


class SlotCache:
    """Keys and values of the answers in progress.

    Args:
        model: the language model.
        slots: `S`.

    Attributes:
        length: tokens for which every slot has room.
        growth: how often the slots have grown, which moves them to other memory.
    """

    def __init__(self, model: PreTrainedModel, slots: int) -> None:
        attention: Any = model.model.layers[0].self_attn
        table: Any = model.get_input_embeddings().weight
        self._heads = model.config.num_key_value_heads
        self._channels: int = attention.head_dim
        self._dtype, self._device = table.dtype, table.device
        self._count = len(model.model.layers)
        self._slots = slots
        # In steps, so that questions of slightly different lengths don't each move everything. What is recorded on a
        # CUDA device is lost then.
        self._round = 256 if self._device.type == "cuda" else 64
        self.length = self.growth = 0
        self.layers: list[tuple[Tensor, Tensor]] = []

    def reserve(self, length: int) -> None:
        """Make every slot at least `length` tokens long; what is in them stays."""
        if length <= self.length:
            return
        self.length = -(-length // self._round) * self._round
        self.growth += 1
        shape = (self._slots, self._heads, self.length, self._channels)
        # Layer by layer, so that there is never room for both lengths of all.
        old, self.layers = self.layers[::-1], []
        for _ in range(self._count):
            keys, values = old.pop() if old else (None, None)
            self.layers.append((self._longer(shape, keys), self._longer(shape, values)))
            del keys, values

    def _longer(self, shape: tuple[int, ...], before: Tensor | None) -> Tensor:
        # Zeros, not whatever was in memory: masked numbers are multiplied by 0, and NaN would survive that.
        new = torch.zeros(shape, dtype=self._dtype, device=self._device)
        if before is not None:
            new[:, :, : before.shape[2]] = before
        return new

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` tokens of one slot to another."""
        for pair in self.layers:
            for tensor in pair:
                tensor[target, :, :length] = tensor[source, :, :length]

    def take(self, slot: int, length: int) -> PrefixCache:
        """A copy of the first `length` tokens of a slot."""
        return PrefixCache(tuple((k[slot, :, :length].clone(), v[slot, :, :length].clone()) for k, v in self.layers))

    def put(self, slot: int, prefix: PrefixCache) -> None:
        """Begin a slot with a copied prefix."""
        for pair, stored in zip(self.layers, prefix.layers, strict=True):
            for tensor, part in zip(pair, stored, strict=True):
                tensor[slot, :, : part.shape[1]] = part


def check_supported(model: PreTrainedModel) -> None:
    """Refuse an architecture whose layers are not those that `forward` runs.

    Raises:
        UsageError: if it is one.
    """
    kind = model.config.model_type
    if kind not in SUPPORTED or getattr(model.config, "sliding_window", None) and model.config.use_sliding_window:
        raise UsageError(f"language models of type {kind!r} can't be run; those that can: {', '.join(SUPPORTED)}")


def forward(
    model: PreTrainedModel,
    cache: SlotCache,
    slots: slice | Tensor,
    embedded: Tensor,
    positions: Tensor,
    seen: int,
    *,
    rotary: Tensor | None = None,
    normed: bool = True,
    first: bool = False,
) -> Tensor:
    """Run tokens through all layers, writing their keys and values to the cache.

    Args:
        model: the causal LM.
        cache: long enough for all positions.
        slots: of the rows: the first `B`, or `(B,)` indices.
        embedded: `(B, T, D)` input embeddings, or `(B, T, (1 + F) * D)` with what is added behind each of the first `F`
            layers.
        positions: `(B, T)` of each token in its slot; a token sees its slot up to its own position. Rows shorter than
            `T` are padded on the right: what padding writes is behind everything that counts, and written over later.
        seen: how far slots are read; beyond all positions, and no further than the cache is long.
        rotary: `(B, T)` or for three axes `(3, B, T)`, by what keys and queries are turned; None: their positions.
        normed: whether the final norm is taken.
        first: whether the tokens are the first of their slots, each at its own place: kernels know that case, and do
            half the work.

    Returns:
        `(B, T, D)`, the states of the last layer.
    """
    rows, count = positions.shape
    visible = None
    if not first:
        visible = torch.arange(seen, device=positions.device) <= positions[:, None, :, None]  # (B, 1, T, L)
    state, *deep = embedded.split(model.config.hidden_size, dim=-1)
    turned = positions if rotary is None else rotary
    if turned.ndim == 2 and hasattr(model.model.rotary_emb, "mrope_section"):
        turned = turned.expand(3, -1, -1)  # words lie at one place on all axes
    cosine, sine = model.model.rotary_emb(state, turned)
    cosine, sine = cosine[:, None], sine[:, None]
    which = torch.arange(rows, device=positions.device) if isinstance(slots, slice) else slots
    for number, (layer, (keys, values)) in enumerate(zip(model.model.layers, cache.layers, strict=True)):
        attention = layer.self_attn
        entering = layer.input_layernorm(state)
        query, key, value = (
            project(entering).view(rows, count, -1, attention.head_dim)
            for project in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        if hasattr(attention, "q_norm"):
            query, key = attention.q_norm(query), attention.k_norm(key)
        query, key = (_rotated(x.transpose(1, 2), cosine, sine) for x in (query, key))
        keys[which[:, None], :, positions] = key.transpose(1, 2)
        values[which[:, None], :, positions] = value
        attended = F.scaled_dot_product_attention(
            query,
            key if first else keys[slots, :, :seen],
            value.transpose(1, 2) if first else values[slots, :, :seen],
            attn_mask=visible,
            is_causal=first,
            enable_gqa=query.shape[1] != keys.shape[1],
        )
        state = state + attention.o_proj(attended.transpose(1, 2).reshape(rows, count, -1))
        state = state + layer.mlp(layer.post_attention_layernorm(state))
        if number < len(deep):
            state = state + deep[number]
    return model.model.norm(state) if normed else state


def logits_of(model: PreTrainedModel, states: Tensor, *, normed: bool) -> Tensor:
    """Logits `(..., V)` of states `(..., D)` that `forward` gave."""
    logits: Tensor = model.lm_head(states if normed else model.model.norm(states))
    return logits


def _rotated(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotary position embedding of `(B, H, T, d)`."""
    first, second = x.chunk(2, dim=-1)
    return x * cosine + torch.cat((-second, first), dim=-1) * sine
