"""SAM 2 inside a release of Sa2VA: which key is which tensor of the network, and the configs of its two parts.

Source: the layouts of the releases (arXiv 2501.04001), in which SAM 2 (arXiv 2408.00714) has its own names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.model.config import MaskDecoderConfig, Sam2EncoderConfig

Shapes = Mapping[str, tuple[int, ...]]
"""Of the tensors that are written, by their names."""

_SAM = "grounding_encoder.sam2_model."
_TRUNK, _NECK = f"{_SAM}image_encoder.trunk.", f"{_SAM}image_encoder.neck.convs."
_FILMS = (
    "memory_attention.", "memory_encoder.", "obj_ptr_proj.", "obj_ptr_tpos_proj.", "maskmem_tpos_enc", "no_mem_pos_enc",
    "no_obj_ptr", "no_obj_embed_spatial", "mask_downsample.", "sam_mask_decoder.pred_obj_score_head.",
)  # fmt: skip
"""What films need, and the object score, which nothing asks for."""
UNUSED = tuple(_SAM + part for part in _FILMS)
"""The same, as keys begin with it."""

_VISION = "pixel_encoder.vision."
RULES: tuple[tuple[str, str], ...] = (
    (re.escape(_TRUNK) + r"patch_embed\.proj\.", f"{_VISION}backbone.patch_embed.projection."),
    (re.escape(_TRUNK) + r"blocks\.(\d+)\.norm([12])\.", rf"{_VISION}backbone.blocks.\1.layer_norm\2."),
    (re.escape(_TRUNK) + r"blocks\.(\d+)\.mlp\.layers\.0\.", rf"{_VISION}backbone.blocks.\1.mlp.proj_in."),
    (re.escape(_TRUNK) + r"blocks\.(\d+)\.mlp\.layers\.1\.", rf"{_VISION}backbone.blocks.\1.mlp.proj_out."),
    (re.escape(_TRUNK), f"{_VISION}backbone."),
    (re.escape(_NECK) + r"(\d+)\.conv\.", rf"{_VISION}neck.convs.\1."),
    (re.escape(_SAM) + r"no_mem_embed$", "pixel_encoder.no_memory"),
    (re.escape(_SAM) + r"sam_mask_decoder\.conv_s([01])\.", r"pixel_encoder.conv_s\1."),
    (re.escape(_SAM) + r"sam_mask_decoder\.transformer\.layers\.(\d+)\.mlp\.layers\.0\.",
     r"mask_head.mask_decoder.transformer.layers.\1.mlp.lin1."),
    (re.escape(_SAM) + r"sam_mask_decoder\.transformer\.layers\.(\d+)\.mlp\.layers\.1\.",
     r"mask_head.mask_decoder.transformer.layers.\1.mlp.lin2."),
    (re.escape(_SAM) + r"sam_mask_decoder\.", "mask_head.mask_decoder."),
    (re.escape(_SAM) + r"sam_prompt_encoder\.", "mask_head.prompt_encoder."),
)  # fmt: skip
"""Patterns of keys and the names that they become; the first that fits counts."""


def pixel_encoder(where: Path, shapes: Shapes) -> Sam2EncoderConfig:
    """Widths are read off the tensors; windows, heads and the blocks that see the whole are those of Hiera-L.

    Raises:
        UsageError: if a tensor is missing that tells them, or there are other blocks.
    """
    widths: list[int] = []
    while (name := f"{_VISION}backbone.blocks.{len(widths)}.mlp.proj_out.bias") in shapes:
        widths += [shapes[name][0]]
    dims = tuple(dict.fromkeys(widths))
    standard = Sam2EncoderConfig()
    blocks = tuple(widths.count(dim) for dim in dims)
    if blocks != standard.blocks:
        raise UsageError(f"{where}: its SAM 2 has {blocks or 'no'} blocks, that of Sa2VA has {standard.blocks}")
    return Sam2EncoderConfig(
        dims=dims,
        background=shape_of(where, shapes, f"{_VISION}backbone.pos_embed")[-1],
        out_channels=shape_of(where, shapes, f"{_VISION}neck.convs.0.weight")[0],
    )


def mask_decoder(where: Path, shapes: Shapes) -> MaskDecoderConfig:
    """Told by shapes; how it is asked is the same in all releases.

    Raises:
        UsageError: if a tensor is missing that tells them.
    """
    tokens, dim = shape_of(where, shapes, "mask_head.mask_decoder.mask_tokens.weight")
    return MaskDecoderConfig(
        dim=dim,
        mlp_dim=shape_of(where, shapes, "mask_head.mask_decoder.transformer.layers.0.mlp.lin1.weight")[0],
        num_multimask_outputs=tokens - 1,
        high_res=True,
        padding_prompts=2,
        object_score=True,
        best="predicted_iou",
    )


def shape_of(where: Path, shapes: Shapes, name: str) -> tuple[int, ...]:
    """The shape of a tensor that must be there.

    Raises:
        UsageError: if it is not.
    """
    if name not in shapes:
        raise UsageError(f"{where}: what becomes {name} is missing")
    return shapes[name]


def table_of(where: Path, config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A table of a config.json that must be there.

    Raises:
        UsageError: if it is not.
    """
    found = config.get(key)
    if not isinstance(found, dict):
        raise UsageError(f"{where}: config.json lacks {key}")
    return found
