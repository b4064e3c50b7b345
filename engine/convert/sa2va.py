"""Sa2VA: which key of a release is which tensor of the network, and what the config.json of those over InternVL says.

Source: the public code of Sa2VA (arXiv 2501.04001) and the layouts of its releases.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from engine.convert import internlm2, sa2va_qwen, sam2
from engine.convert.architecture import options_of
from engine.convert.packed import taken_apart
from engine.convert.sam2 import Shapes, shape_of, table_of
from engine.convert.tensors import StoredTensor, TensorFiles
from engine.convert.writer import Planned
from engine.errors import UsageError
from engine.model.config import ModelConfig, TilesConfig
from engine.model.language_config import LanguageConfig, LanguageType
from engine.model.tokenizers import PieceTokenizer, QwenTokenizer, TextTokenizer
from engine.text.prompts import TEMPLATES

_LANGUAGE: Mapping[str, LanguageType] = {
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
    "LlamaForCausalLM": "llama",
    internlm2.ARCHITECTURE: "llama",
}
"""What runs a language model, by its name in config.json."""

_SAME_TEXT = {"internlm2_chat": "qwen_chat"}
"""Templates under two names."""
_NORM = "layer_norm"
"""Of the towers that were tried; InternViT-6B has another."""
_TOO_LARGE = "its vision tower is an InternViT-6B, as in Sa2VA-26B, which can't be run yet"
_TOWER = "global_encoder.tower."
_RULES: tuple[tuple[str, str], ...] = (
    (r"vision_model\.embeddings\.class_embedding$", f"{_TOWER}embeddings.cls_token"),
    (r"vision_model\.embeddings\.patch_embedding\.", f"{_TOWER}embeddings.patch_embeddings.projection."),
    (r"vision_model\.embeddings\.position_embedding$", f"{_TOWER}embeddings.position_embeddings"),
    (r"vision_model\.encoder\.layers\.(\d+)\.norm1\.", rf"{_TOWER}encoder.layer.\1.layernorm_before."),
    (r"vision_model\.encoder\.layers\.(\d+)\.norm2\.", rf"{_TOWER}encoder.layer.\1.layernorm_after."),
    (r"vision_model\.encoder\.layers\.(\d+)\.ls([12])$", rf"{_TOWER}encoder.layer.\1.lambda_\2"),
    (r"vision_model\.encoder\.layers\.(\d+)\.attn\.proj\.", rf"{_TOWER}encoder.layer.\1.attention.projection_layer."),
    (r"vision_model\.encoder\.layers\.(\d+)\.attn\.([qk])_norm\.", rf"{_TOWER}encoder.layer.\1.attention.\2_norm."),
    (r"vision_model\.encoder\.layers\.(\d+)\.mlp\.", rf"{_TOWER}encoder.layer.\1.mlp."),
    (r"mlp1\.", "projector."),
    *internlm2.RULES,
    (r"language_model\.", "language_model."),
    (r"text_hidden_fcs\.", "text_hidden_fcs."),
    *sa2va_qwen.RULES,
    *sam2.RULES,
)  # fmt: skip
"""Patterns of keys and the names that they become; the first that fits counts."""

_QKV = re.compile(r"vision_model\.encoder\.layers\.(\d+)\.attn\.qkv\.(weight|bias)$")


def require_language(where: Path, config: Mapping[str, Any]) -> None:
    """Refuse a language model that can't be run, by config.json alone.

    Raises:
        UsageError: if it names one.
    """
    vision = config.get("vision_config")
    if isinstance(vision, dict) and vision.get("norm_type", _NORM) != _NORM:
        raise UsageError(f"{where}: {_TOO_LARGE}")
    inner = config.get("llm_config")
    for named in (inner.get("architectures") or ()) if isinstance(inner, dict) else ():
        if named not in _LANGUAGE:
            raise UsageError(f"{where}: its language model is {named}; known: {', '.join(_LANGUAGE)}")


def is_one(where: Path, config: Mapping[str, Any]) -> bool:
    """Whether a config.json is one of a Sa2VA.

    Raises:
        UsageError: if it is one of a Sa2VA that can't be run.
    """
    named = [str(name) for name in config.get("architectures") or ()]
    other = [name for name in named if name.startswith("Sa2VA") and name not in _CONFIGS]
    if other:
        raise UsageError(f"{where}: {other[0]} can't be run yet; of Sa2VA these can: {', '.join(_CONFIGS)}")
    return any(name in _CONFIGS for name in named)


def plan(files: TensorFiles, config: Mapping[str, Any]) -> tuple[list[Planned], dict[str, list[str]]]:
    """What is written for each tensor of a release, and the keys that are left out, by the reason.

    Raises:
        UsageError: if a key is unknown, or a tensor is quantised or contradicts config.json.
    """
    inner = config.get("llm_config")
    language: Mapping[str, Any] = inner if isinstance(inner, dict) else {}
    planned: list[Planned] = []
    ignored: dict[str, list[str]] = {}
    for key, tensor in files.tensors.items():
        if not tensor.dtype.is_floating_point or tensor.dtype.itemsize == 1:
            raise UsageError(f"{tensor.file}: {key} is {tensor.dtype}: quantised weights are not converted")
        if key.startswith(sam2.UNUSED):
            ignored.setdefault("only films need it", []).append(key)
        elif found := _QKV.match(key):
            planned += _thirds(files, tensor, found)
        elif found := internlm2.PACKED.match(key):
            planned += internlm2.unpacked(files, tensor, found, language)
        else:
            planned.append(Planned(_name(key, tensor.file), tensor.dtype, tensor.shape, partial(files.chunks, tensor)))
    return planned, ignored


def config_of(where: Path, config: Mapping[str, Any], tensors: Iterable[Planned], name: str) -> ModelConfig:
    """The config of a release, of its config.json and the shapes of its tensors.

    Raises:
        UsageError: if config.json lacks something, contradicts the shapes, or names parts that can't be run.
    """
    shapes = {tensor.name: tensor.shape for tensor in tensors}
    (make,) = (_CONFIGS[named] for named in config["architectures"] if named in _CONFIGS)
    return make(where, config, shapes, name)


def _over_internvl(where: Path, config: Mapping[str, Any], shapes: Shapes, name: str) -> ModelConfig:
    template = str(config.get("template", "")).replace("-", "_")
    template = _SAME_TEXT.get(template, template)
    if template not in TEMPLATES:
        raise UsageError(f"{where}: its template is {template or 'missing'}; known: {', '.join(TEMPLATES)}")
    if config.get("select_layer", -1) != -1 or config.get("ps_version") != "v2":
        raise UsageError(f"{where}: select_layer and ps_version must be -1 and v2, as the releases of Sa2VA have them")
    return ModelConfig(
        name=name,
        global_encoder=_tiles(where, config),
        projector="norm_mlp2x_gelu",
        language=_language(where, config, shapes),
        pixel_encoder=sam2.pixel_encoder(where, shapes),
        mask_decoder=sam2.mask_decoder(where, shapes),
        seg_state_offset=0,
        template=template,
        max_new_tokens=2048,
    )


def check(
    where: Path, tensors: Iterable[Planned], needed: Mapping[str, tuple[int, ...]], tokenizer: TextTokenizer
) -> None:
    """Compare a release with the network that its config builds.

    Raises:
        UsageError: if a tensor is missing, of no use or of another shape, or the tokenizer has more tokens than rows.
    """
    found = {tensor.name: tensor.shape for tensor in tensors}
    missing = [name for name in needed if name not in found]
    if missing:
        raise UsageError(f"{where}: {len(missing)} tensors are missing, the first becomes {missing[0]}")
    for name, shape in found.items():
        if name not in needed:
            raise UsageError(f"{where}: nobody uses what becomes {name}")
        if shape != needed[name]:
            raise UsageError(f"{where}: {name} is {shape}, config.json and the other parts ask for {needed[name]}")
    rows = needed["language_model.model.embed_tokens.weight"][0]
    if tokenizer.size > rows:
        raise UsageError(f"{where}: the tokenizer has {tokenizer.size} tokens, the embeddings have {rows} rows")


def _name(key: str, file: Path) -> str:
    for pattern, ours in _RULES:
        if found := re.match(pattern, key):
            return found.expand(ours) + key[found.end() :]
    raise UsageError(f"{file}: unknown key {key}: not in the layout of Sa2VA")


def _thirds(files: TensorFiles, tensor: StoredTensor, found: re.Match[str]) -> Iterator[Planned]:
    """Queries, keys and values, which lie one below the other."""
    name = f"{_TOWER}encoder.layer.{found[1]}.attention.{{}}_proj.{found[2]}"
    return taken_apart(files, tensor, {name.format(part): 1 for part in "qkv"})


def _tiles(where: Path, config: Mapping[str, Any]) -> TilesConfig:
    vision = table_of(where, config, "vision_config")
    if vision.get("norm_type", _NORM) != _NORM:
        raise UsageError(f"{where}: {_TOO_LARGE}")
    side = config.get("force_image_size") or vision.get("image_size")
    return TilesConfig(
        repeats_regions=True,
        image_size=side,
        patch_size=vision["patch_size"],
        hidden_size=vision["hidden_size"],
        intermediate_size=vision["intermediate_size"],
        num_hidden_layers=vision["num_hidden_layers"],
        num_attention_heads=vision["num_attention_heads"],
        attention_bias=vision.get("qkv_bias", True),
        use_qk_norm=vision.get("qk_normalization", False),
        norm=_NORM,
        layer_norm_eps=vision.get("layer_norm_eps", 1e-6),
    )


def _language(where: Path, config: Mapping[str, Any], shapes: Shapes) -> LanguageConfig:
    inner = table_of(where, config, "llm_config")
    (named,) = inner.get("architectures") or [""]
    if named not in _LANGUAGE:
        raise UsageError(f"{where}: its language model is {named or 'not named'}; known: {', '.join(_LANGUAGE)}")
    if named == internlm2.ARCHITECTURE:
        inner = internlm2.as_llama(where, inner)
    rows = shape_of(where, shapes, "language_model.model.embed_tokens.weight")[0]
    options = options_of(where, inner, rows)
    rope = options.get("rope_parameters", {})
    if rope.get("rope_type") == "dynamic":
        # It stretches positions beyond the last one, where no prompt goes.
        options["rope_parameters"] = {"rope_type": "default", "rope_theta": rope.get("rope_theta", 1e4)}
    return LanguageConfig(model_type=_LANGUAGE[named], options=options)


def tokenizer_of(folder: Path) -> PieceTokenizer | QwenTokenizer:
    """The tokenizer of a release, its kind told by its files.

    Raises:
        UsageError: if it has none, or it can't be read.
    """
    whole = folder / "tokenizer.json"
    if not whole.is_file() and (folder / "tokenizer.model").is_file():
        return PieceTokenizer.read(folder)
    return QwenTokenizer.read(whole)


_CONFIGS: Mapping[str, Callable[[Path, Mapping[str, Any], Shapes, str], ModelConfig]] = {
    "Sa2VAChatModel": _over_internvl,
    "Sa2VAChatModelQwen": sa2va_qwen.config_of,
}
"""What reads a config.json, by the architecture that it names."""
