"""InternLM2 as a Llama: the same layers under other names, queries, keys and values of a layer in one tensor.

Source: the configuration and the weights' layout of InternLM2 (arXiv 2403.17297, section 2.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.convert.packed import taken_apart
from engine.convert.tensors import StoredTensor, TensorFiles
from engine.convert.writer import Planned
from engine.errors import UsageError

ARCHITECTURE = "InternLM2ForCausalLM"
_LAYER, _OURS = r"language_model\.model\.layers\.(\d+)\.", r"language_model.model.layers.\1."
RULES: tuple[tuple[str, str], ...] = (
    (r"language_model\.output\.", "language_model.lm_head."),
    (r"language_model\.model\.tok_embeddings\.", "language_model.model.embed_tokens."),
    (rf"{_LAYER}attention_norm\.", f"{_OURS}input_layernorm."),
    (rf"{_LAYER}ffn_norm\.", f"{_OURS}post_attention_layernorm."),
    (rf"{_LAYER}attention\.wo\.", f"{_OURS}self_attn.o_proj."),
    (rf"{_LAYER}feed_forward\.w1\.", f"{_OURS}mlp.gate_proj."),
    (rf"{_LAYER}feed_forward\.w2\.", f"{_OURS}mlp.down_proj."),
    (rf"{_LAYER}feed_forward\.w3\.", f"{_OURS}mlp.up_proj."),
)
"""Patterns of keys and the names that they become."""

PACKED = re.compile(rf"{_LAYER}attention\.wqkv\.(weight|bias)$")


def unpacked(
    files: TensorFiles, tensor: StoredTensor, found: re.Match[str], language: Mapping[str, Any]
) -> Iterator[Planned]:
    """Queries, keys and values of a layer.

    The rows of each key-value head stand together: those of its query heads, of its key, of its value.

    Args:
        files: hold the tensor.
        tensor: `(K * (G + 2) * d, ...)` for `K` key-value heads of `d` channels, with `G` query heads each.
        found: of `PACKED`.
        language: the language model's part of config.json.

    Raises:
        UsageError: if the rows are not those of the heads in config.json.
    """
    pairs, group, channels = _heads(tensor.file, language)
    rows = pairs * (group + 2) * channels
    if tensor.shape[0] != rows:
        raise UsageError(f"{tensor.file}: {found[0]} has {tensor.shape[0]} rows, config.json asks for {rows}")
    name = f"language_model.model.layers.{found[1]}.self_attn.{{}}_proj.{found[2]}"
    return taken_apart(files, tensor, {name.format("q"): group, name.format("k"): 1, name.format("v"): 1}, pairs)


def _heads(where: Path, language: Mapping[str, Any]) -> tuple[int, int, int]:
    """Key-value heads, query heads of each, channels of a head."""
    heads, width = language.get("num_attention_heads"), language.get("hidden_size")
    pairs = language.get("num_key_value_heads") or heads
    if not (type(heads) is type(width) is type(pairs) is int and min(heads, width, pairs) > 0):
        raise UsageError(f"{where}: config.json lacks the language model's heads or hidden_size")
    if width % heads or heads % pairs:
        raise UsageError(f"{where}: config.json has {heads} heads over {pairs} for a width of {width}")
    return pairs, heads // pairs, width // heads


def as_llama(where: Path, language: Mapping[str, Any]) -> dict[str, Any]:
    """The language model's part of config.json in the words of a Llama.

    Raises:
        UsageError: if it says what a Llama can't be.
    """
    activation = language.get("hidden_act", "silu")
    if activation != "silu":
        raise UsageError(f"{where}: its language model's hidden_act is {activation}; known: silu")
    return {**language, "attention_bias": bool(language.get("bias", False)), "mlp_bias": False}
