"""The parts of a network: what they are, how large, and how they lie on disk."""

from __future__ import annotations

from collections.abc import Mapping

from accelerate import init_empty_weights

from engine.doctor.facts import Part
from engine.model.config import (
    ClipConfig,
    GridConfig,
    ModelConfig,
    PyramidConfig,
    PyramidTokensConfig,
    Sam2EncoderConfig,
    SamEncoderConfig,
    TilesConfig,
)
from engine.model.mglmm import MGLMM

_NAMES = (
    "pixel_encoder",
    "global_encoder",
    "projector",
    "language_model",
    "text_hidden_fcs",
    "mask_head",
    "region_encoder",
)


def outline(config: ModelConfig) -> MGLMM:
    """The network without memory for its weights: everything lies on the meta device."""
    with init_empty_weights():
        network = MGLMM(config)
    network.to("meta").language_model.tie_weights()
    return network.eval()


def list_parts(network: MGLMM, disk: Mapping[str, int] | None) -> tuple[Part, ...]:
    """The parts of a network.

    Args:
        network: may lie on the meta device.
        disk: bytes of each stored tensor; None where nothing is stored.
    """
    found = []
    for name in _NAMES:
        module = getattr(network, name)
        if module is None:
            continue
        stored = None if disk is None else sum(size for key, size in disk.items() if key.startswith(f"{name}."))
        # Tied embeddings are one parameter, and are counted once.
        numbers = sum(parameter.numel() for parameter in module.parameters())
        found.append(Part(name, _kind(name, network.config), numbers, stored))
    return tuple(found)


def _kind(name: str, config: ModelConfig) -> str:
    pixel, view, mask = config.pixel_encoder, config.global_encoder, config.mask_decoder
    options = config.language.options
    sizes = f"{options.get('num_hidden_layers', '?')} x {options.get('hidden_size', '?')}"
    return {
        "pixel_encoder": _pixel_kind(pixel),
        "global_encoder": _global_kind(view),
        "projector": config.projector,
        "language_model": f"{config.language.model_type}, {sizes}",
        "text_hidden_fcs": f"two layers to {mask.dim}",
        "mask_head": f"SAM mask decoder, {mask.depth} x {mask.dim}",
        "region_encoder": "GLaMM's, on CLIP layers",
    }[name]


def _pixel_kind(config: SamEncoderConfig | Sam2EncoderConfig | PyramidConfig) -> str:
    if isinstance(config, PyramidConfig):
        what = config.backbone
    elif isinstance(config, SamEncoderConfig):
        what = f"{config.depth} x {config.embed_dim}"
    else:
        what = f"{sum(config.blocks)} blocks to {config.dims[-1]}"
    return f"{config.kind}, {what}, {config.image_size} px"


def _global_kind(config: ClipConfig | PyramidTokensConfig | TilesConfig | GridConfig) -> str:
    if isinstance(config, PyramidTokensConfig):
        return f"{config.kind}, {config.tokens} tokens"
    what = f"{config.kind}, {config.num_hidden_layers} x {config.hidden_size}"
    if isinstance(config, GridConfig):
        return f"{what}, up to {config.tokens} tokens"
    tokens = f"up to {config.tokens}" if isinstance(config, TilesConfig) else str(config.tokens)
    return f"{what}, {config.image_size} px, {tokens} tokens"
