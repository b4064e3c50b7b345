"""Sa2VA over Qwen3-VL: which key of a release is which tensor of the network, and what its config.json says.

Source: the public code of Sa2VA (arXiv 2501.04001) and the layouts of its releases.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt
from pathlib import Path
from typing import Any

from engine.convert import sam2
from engine.convert.architecture import options_of
from engine.convert.sam2 import Shapes, shape_of, table_of
from engine.errors import UsageError
from engine.model.config import GridConfig, ModelConfig
from engine.model.language_config import LanguageConfig

RULES: tuple[tuple[str, str], ...] = (
    (r"model\.lm_head\.", "language_model.lm_head."),
    (r"model\.model\.language_model\.", "language_model.model."),
    (r"model\.model\.visual\.", "global_encoder.tower."),
)
"""Patterns of keys and the names that they become."""

_LANGUAGE, _VISION = "qwen3_vl_text", ("qwen3_vl", "qwen3_vl_vision")
_TOWER = "global_encoder.tower."


def config_of(where: Path, config: Mapping[str, Any], shapes: Shapes, name: str) -> ModelConfig:
    """The config of a release, of its config.json and the shapes of its tensors.

    Raises:
        UsageError: if config.json lacks something, contradicts the shapes, or names parts that can't be run.
    """
    vision, text = table_of(where, config, "vision_config"), table_of(where, config, "text_config")
    kinds = vision.get("model_type"), text.get("model_type")
    if kinds[0] not in _VISION or kinds[1] != _LANGUAGE:
        raise UsageError(f"{where}: its parts are {kinds[0]} and {kinds[1]}; of Qwen's those of Qwen3-VL can be run")
    return ModelConfig(
        name=name,
        global_encoder=_grid(where, vision, shapes),
        projector="none",
        language=_language(where, text, shapes),
        pixel_encoder=sam2.pixel_encoder(where, shapes),
        mask_decoder=sam2.mask_decoder(where, shapes),
        seg_state_offset=0,
        seg_state_normed=False,
        template=_LANGUAGE.removesuffix("_text"),
        max_new_tokens=2048,
    )


def _grid(where: Path, vision: Mapping[str, Any], shapes: Shapes) -> GridConfig:
    """How many pixels a photograph gets is fixed in the public code: the defaults."""
    return GridConfig(
        patch_size=vision["patch_size"],
        merge=vision["spatial_merge_size"],
        frames=vision["temporal_patch_size"],
        hidden_size=vision["hidden_size"],
        intermediate_size=vision["intermediate_size"],
        num_hidden_layers=vision["depth"],
        num_attention_heads=vision["num_heads"],
        hidden_act=vision["hidden_act"],
        position_side=isqrt(shape_of(where, shapes, f"{_TOWER}pos_embed.weight")[0]),
        deep=tuple(vision["deepstack_visual_indexes"]),
    )


def _language(where: Path, text: Mapping[str, Any], shapes: Shapes) -> LanguageConfig:
    rows = shape_of(where, shapes, "language_model.model.embed_tokens.weight")[0]
    return LanguageConfig(model_type=_LANGUAGE, options=options_of(where, text, rows))
