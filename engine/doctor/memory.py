"""How much memory a model takes, from shapes alone.

The rule: weights, as they are stored in each precision; keys and values of the longest prompt and answer; and the most
that is alive at once in the stage that takes most. The stages (both encoders, the prompt's pass through the language
model, the mask decoder) are run on the meta device, which has shapes and no numbers, and the bytes of all living
tensors are added up. Workspaces of libraries and rounding of allocators come on top.

Legend: `B` images, `L` length of the prompt.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from engine.doctor.facts import Memory
from engine.masks import decoder
from engine.model import pixel_encoder
from engine.model.checkpoint import own_state
from engine.model.config import ClipConfig, GridConfig, TilesConfig
from engine.model.embedding import ImageEmbedding
from engine.model.mglmm import MGLMM
from engine.model.precision import FULL, Precision, stored_as

BATCHES = (1, 8, 32)
_MASKS = 8
"""Masks of one answer."""
_TOGETHER = (pixel_encoder.TOGETHER, None, max(decoder.TOGETHER.values()) // _MASKS)
"""Images that the encoders, the prompt's pass and the mask decoder get in a call; None is all."""


def estimate(network: MGLMM, prompt: int) -> tuple[Memory, ...]:
    """Memory at every precision and batch.

    Args:
        network: on the meta device; left in half precision.
        prompt: tokens of the prefix and a question.
    """
    weights = {precision: weights_size(network, precision) for precision in Precision}
    length = min(prompt + network.config.max_new_tokens, int(network.language_model.config.max_position_embeddings))
    loading = {precision: _unquantised(network, precision) for precision in Precision}
    stages = {dtype: _stages(network, prompt, dtype) for dtype in (torch.float32, torch.bfloat16)}
    found = []
    for precision in Precision:
        one, two = stages[torch.float32 if precision is Precision.FLOAT32 else torch.bfloat16]
        for batch in BATCHES:
            # Every stage grows by the same amount with each image, as far as it gets them together.
            rows = (min(batch, most or batch) for most in _TOGETHER)
            activations = max(a + (n - 1) * (b - a) for a, b, n in zip(one, two, rows, strict=True))
            cache = batch * length * _cache_per_token(network, precision.dtype)
            found.append(Memory(precision, batch, weights[precision], cache, activations, loading[precision]))
    return tuple(found)


def weights_size(network: MGLMM, precision: Precision) -> int:
    """Bytes of the weights in memory; the network may lie on the meta device."""
    quantised = {
        f"language_model.model.layers.{name}.weight"
        for name, module in network.language_model.model.layers.named_modules()
        if isinstance(module, nn.Linear) and precision.quantised
    }
    bits = sum(
        tensor.numel()
        * (precision.layer_bits if name in quantised else 8 * stored_as(name, tensor.dtype, precision).itemsize)
        for name, tensor in own_state(network).items()
    )
    return round(bits / 8)


def _unquantised(network: MGLMM, precision: Precision) -> int:
    return sum(
        tensor.numel() * stored_as(name, tensor.dtype, precision).itemsize
        for name, tensor in own_state(network).items()
    )


def _cache_per_token(network: MGLMM, dtype: torch.dtype) -> int:
    language = network.language_model.config
    heads = language.num_attention_heads
    width = getattr(language, "head_dim", None) or language.hidden_size // heads
    return (
        2
        * language.num_hidden_layers
        * (getattr(language, "num_key_value_heads", None) or heads)
        * width
        * dtype.itemsize
    )


@torch.no_grad()
def _stages(network: MGLMM, prompt: int, dtype: torch.dtype) -> list[list[int]]:
    """Bytes alive at the peak of each stage, with one image and with two."""
    network.to(dtype)
    for name in FULL:
        network.get_submodule(name.rstrip(".")).float()
    return [[_peak(network, stage) for stage in _calls(network, prompt, dtype, batch)] for batch in (1, 2)]


def _calls(network: MGLMM, prompt: int, dtype: torch.dtype, batch: int) -> Iterable[Callable[[], Any]]:
    config = network.config
    language = network.language_model
    side = config.pixel_encoder.image_size
    pixels = torch.empty(batch, 3, side, side, dtype=dtype, device="meta")
    view = None
    encoder = config.global_encoder
    if isinstance(encoder, ClipConfig):
        view = pixels.new_empty(batch, 3, encoder.image_size, encoder.image_size)
    elif isinstance(encoder, TilesConfig):
        tiles = encoder.tokens // encoder.tokens_per_tile
        view = pixels.new_empty(batch, tiles, 3, encoder.image_size, encoder.image_size)
    elif isinstance(encoder, GridConfig):
        square = math.isqrt(encoder.tokens) * encoder.cell
        view = pixels.new_empty(batch, 3, square, square)
    embedded = pixels.new_empty(batch, prompt, language.config.hidden_size)
    # Of four dimensions, so that transformers takes it as it is and does not look at its numbers.
    mask = torch.ones(batch, 1, prompt, prompt, dtype=torch.bool, device="meta")
    embedding = ImageEmbedding.of([pixels.new_empty(batch, *shape) for shape in decoder.maps_of(config).values()])
    prompts = torch.empty(batch * _MASKS, config.mask_decoder.dim, device="meta")
    index = torch.empty(len(prompts), dtype=torch.long, device="meta")
    return (
        lambda: network.encode_images(pixels, view),
        lambda: language.lm_head(language.model(inputs_embeds=embedded, attention_mask=mask).last_hidden_state[:, -1]),
        lambda: network.mask_head(embedding, prompts, index),
    )


def _peak(network: nn.Module, stage: Callable[[], Any]) -> int:
    return living_bytes(stage, [*network.parameters(), *network.buffers()])


def living_bytes(stage: Callable[[], Any], known: Iterable[Tensor]) -> int:
    """The most that is alive at once of the tensors that a call makes, in bytes.

    Args:
        stage: the call.
        known: tensors that were there before, and so don't count.
    """
    with _LivingBytes(known) as bytes_:
        stage()
    return bytes_.peak


class _LivingBytes(TorchDispatchMode):
    """Adds up the storages of all tensors that operations make, for as long as they live."""

    def __init__(self, known: Iterable[Tensor]) -> None:
        super().__init__()
        self.peak = 0
        self._living = 0
        self._known = {tensor.untyped_storage()._cdata for tensor in known}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._add(tensor.untyped_storage())
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        if storage._cdata in self._known:
            return
        self._known.add(storage._cdata)
        self._living += storage.nbytes()
        self.peak = max(self.peak, self._living)
        weakref.finalize(storage, self._drop, storage._cdata, storage.nbytes())

    def _drop(self, name: int, size: int) -> None:
        self._known.discard(name)
        self._living -= size
