"""From the shapes of the weights and the source's config.json to the config of each part.

Legend: `C` channels of the mask decoder, `E` of SAM's encoder, `g` side of its grid, `H` hidden size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from engine.convert.inventory import Inventory
from engine.errors import UsageError
from engine.model.config import MaskDecoderConfig, RegionEncoderConfig, SamEncoderConfig
from engine.model.language_config import LanguageConfig

_SIZES = {(768, 12): "vit_b", (1024, 24): "vit_l", (1280, 32): "vit_h"}
_VIT, _DECODER = "pixel_encoder.vit.", "mask_head.mask_decoder."
_NEEDED = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
_KEPT = ("hidden_act", "attention_bias", "mlp_bias", "head_dim")
"""Options of a Llama that are passed on where the source names them."""


def sam_encoder(found: Inventory) -> SamEncoderConfig:
    """SAM's image encoder, told by shapes alone.

    Raises:
        UsageError: if a telling tensor is missing, or the shapes contradict each other.
    """
    _, grid, width, embed_dim = found.shape(f"{_VIT}pos_embed")
    patch = found.shape(f"{_VIT}patch_embed.proj.weight")[-1]
    depth = found.count(f"{_VIT}blocks.")
    reach = [found.shape(f"{_VIT}blocks.{i}.attn.rel_pos_h") for i in range(depth)]
    windows = sorted({(rows + 1) // 2 for rows, _ in reach} - {grid})
    if grid != width or len(windows) > 1 or not reach:
        raise UsageError(f"{found.where}: SAM's encoder has a grid of {grid} x {width} and windows of {windows}")
    return SamEncoderConfig(
        image_size=grid * patch,
        patch_size=patch,
        embed_dim=embed_dim,
        depth=depth,
        num_heads=embed_dim // reach[0][1],
        global_attn_indexes=tuple(i for i, (rows, _) in enumerate(reach) if rows == 2 * grid - 1),
        window_size=windows[0] if windows else 0,
        out_channels=found.shape(f"{_VIT}neck.0.weight")[0],
    )


def sam_name(config: SamEncoderConfig) -> str:
    """`vit_h`, `vit_l`, `vit_b`, or the numbers of another size."""
    name = _SIZES.get((config.embed_dim, config.depth))
    if name is None:
        name = f"with {config.depth} blocks of {config.embed_dim} channels, window {config.window_size}"
    return f"SAM {name}, {config.image_size} pixels"


def mask_decoder(found: Inventory, out_dim: object) -> MaskDecoderConfig:
    """SAM's mask decoder, told by shapes alone.

    Args:
        found: the tensors.
        out_dim: length of a prompt vector as config.json has it, or None.

    Raises:
        UsageError: if a telling tensor is missing, or `out_dim` is another.
    """
    tokens, dim = found.shape(f"{_DECODER}mask_tokens.weight")
    if out_dim is not None and out_dim != dim:
        raise UsageError(f"{found.where}: out_dim is {out_dim} in config.json, the mask decoder takes {dim}")
    return MaskDecoderConfig(
        dim=dim,
        depth=found.count(f"{_DECODER}transformer.layers."),
        mlp_dim=found.shape(f"{_DECODER}transformer.layers.0.mlp.lin1.weight")[0],
        num_multimask_outputs=tokens - 1,
    )


def language_model(found: Inventory, config: Mapping[str, Any], vocabulary: int) -> LanguageConfig:
    """The Llama that config.json describes.

    Args:
        found: the tensors, for messages.
        config: of the source.
        vocabulary: rows of the embedding; they count for more than config.json.

    Raises:
        UsageError: if config.json lacks a size or asks for what a Llama has not.
    """
    return LanguageConfig(options=options_of(found.where, config, vocabulary))


def options_of(where: Path, config: Mapping[str, Any], vocabulary: int) -> dict[str, Any]:
    """What a config.json says of a language model's layers.

    Args:
        where: the checkpoint, for messages.
        config: of the language model.
        vocabulary: rows of the embedding.

    Raises:
        UsageError: if it lacks a size or asks for a sliding window.
    """
    for name in _NEEDED:
        if not isinstance(config.get(name), int):
            raise UsageError(f"{where}: config.json lacks {name}")
    if config.get("sliding_window") and config.get("use_sliding_window", True):
        raise UsageError(f"{where}: config.json asks for a sliding window: only models without one are converted")
    options = {name: config[name] for name in _NEEDED}
    # The defaults are those of the transformers versions that the public code bases pin.
    options["num_key_value_heads"] = config.get("num_key_value_heads") or config["num_attention_heads"]
    options["rms_norm_eps"] = config.get("rms_norm_eps", 1e-6)
    options["max_position_embeddings"] = config.get("max_position_embeddings", 2048)
    options["vocab_size"] = vocabulary
    options["tie_word_embeddings"] = False
    options |= {name: config[name] for name in _KEPT if config.get(name) is not None}
    if rope := _rope(config):
        options["rope_parameters"] = rope
    return options


def projector(found: Inventory) -> Literal["linear", "mlp2x_gelu"]:
    """The projector's kind, told by its keys."""
    return "linear" if found.has("projector.weight") else "mlp2x_gelu"


def region_encoder(found: Inventory) -> RegionEncoderConfig | None:
    """GLaMM's region encoder, where the source has one.

    Raises:
        UsageError: if a telling tensor is missing.
    """
    if not found.has("region_encoder."):
        return None
    dim = found.shape("region_encoder.mlvl_fuse.input_conv.0.weight")[0]
    return RegionEncoderConfig(
        dim=dim,
        position_dim=found.shape("region_encoder.roi_align.pos_embedd.0.weight")[0],
        bins=math.isqrt(found.shape("region_encoder.roi_align.flatten_linear.weight")[1] // dim),
    )


def select_layer(where: Path, config: Mapping[str, Any]) -> int:
    """Which hidden layer of the tower the projector reads.

    Raises:
        UsageError: if config.json asks for the CLS token too.
    """
    feature = config.get("mm_vision_select_feature") or "patch"
    if feature != "patch":
        raise UsageError(f"{where}: mm_vision_select_feature is {feature!r} in config.json: only 'patch' is supported")
    layer: int = config.get("mm_vision_select_layer", -2)
    return layer


def _rope(config: Mapping[str, Any]) -> dict[str, Any]:
    """Rotary positions in the words of transformers 5, or nothing where the source names none."""
    rope = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
    if "type" in rope:
        rope.setdefault("rope_type", rope.pop("type"))
    if (theta := config.get("rope_theta")) is not None:
        rope.setdefault("rope_theta", theta)
    if rope:
        rope.setdefault("rope_type", "default")
    return rope
