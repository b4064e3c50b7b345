"""Checkpoints in the layouts of the public code bases, with random weights and tiny sizes."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from sentencepiece import SentencePieceTrainer
from torch import Tensor

from engine.model.config import ClipConfig, MaskDecoderConfig, ModelConfig, RegionEncoderConfig, SamEncoderConfig
from engine.model.language_config import LanguageConfig
from engine.model.mglmm import MGLMM
from engine.text.prompts import FAMILIES

PARITY = Path(__file__).parents[4] / "shared" / "parity"
PIECES = 60
"""Of the SentencePiece model, before tokens are added."""

SAM_PREFIX = {
    "mglmm": "model.segment_encoder.",
    "glamm": "model.grounding_encoder.",
    "lisa": "model.visual_model.",
}
ARCHITECTURE = {"mglmm": "MGLMMForCausalLM", "glamm": "GLaMMForCausalLM", "lisa": "LISAForCausalLM"}
ADDED = {
    "mglmm": ["<im_start>", "<im_end>", "<bbox>", "<point>", "[SEG]", "<p>", "</p>"],
    "glamm": ["<im_start>", "<im_end>", "<bbox>", "<point>", "[SEG]", "<p>", "</p>"],
    "lisa": ["[SEG]", "<im_start>", "<im_end>"],
}
CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


@dataclass(frozen=True)
class Made:
    """A checkpoint and what it was made of.

    Attributes:
        folder: the checkpoint.
        tower: the folder of its CLIP.
        config: what a conversion should find out.
        network: its weights.
        tensors: as they lie in the checkpoint.
    """

    folder: Path
    tower: Path
    config: ModelConfig
    network: MGLMM
    tensors: dict[str, Tensor]


def tiny_config(family: str, *, regions: bool = False) -> ModelConfig:
    """Two blocks of everything, twelve of the tower where there are regions (they read deep layers)."""
    return ModelConfig(
        name=family,
        global_encoder=ClipConfig(
            image_size=28,
            patch_size=14,
            hidden_size=64,
            intermediate_size=48,
            num_hidden_layers=12 if regions else 2,
            num_attention_heads=1,
        ),
        projector="linear" if family == "lisa" else "mlp2x_gelu",
        language=LanguageConfig(
            options={
                "vocab_size": PIECES + len(ADDED[family]),
                "hidden_size": 32,
                "intermediate_size": 40,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "num_key_value_heads": 4,
                "rms_norm_eps": 1e-5,
                "max_position_embeddings": 128,
                "tie_word_embeddings": False,
            }
        ),
        pixel_encoder=SamEncoderConfig(
            image_size=64,
            embed_dim=24,
            depth=3,
            num_heads=2,
            global_attn_indexes=(1,),
            window_size=3,
            out_channels=32,
        ),
        mask_decoder=MaskDecoderConfig(dim=32, mlp_dim=20),
        template="lisa" if family == "lisa" else "llava_v1",
        region_encoder=RegionEncoderConfig(dim=64, position_dim=8, bins=2) if regions else None,
    )


def make(root: Path, family: str = "mglmm", *, regions: bool = False, seed: int = 0, **language: int) -> Made:
    """Write a release directory `root/checkpoint` and its tower `root/clip`; `language` changes options of its LM."""
    torch.manual_seed(seed)
    config = tiny_config(family, regions=regions)
    options = LanguageConfig(options=config.language.options | language)
    config = config.model_copy(update={"language": options})
    network = MGLMM(config)
    with torch.no_grad():
        for parameter in network.parameters():  # what begins as zeros or ones would hide a mix-up
            parameter.normal_(std=0.1)
    tensors, tower = _official(network.state_dict(), SAM_PREFIX[family])
    made = Made(root / "checkpoint", root / "clip", config, network, tensors)
    made.folder.mkdir(parents=True)
    save_file(tensors, made.folder / "model.safetensors", metadata={"format": "pt"})
    write_json(made.folder / "config.json", official_config(config, family))
    write_json(made.folder / "added_tokens.json", {token: PIECES + i for i, token in enumerate(ADDED[family])})
    (made.folder / "tokenizer.model").write_bytes(pieces())
    _write_tower(made.tower, config.global_encoder, tower)
    return made


def make_llava(root: Path) -> Made:
    """A LLaVA directory without SAM, text layers and added tokens; `root/sam.pth` beside it."""
    made = make(root)
    sam = {
        key.removeprefix(SAM_PREFIX["mglmm"]): tensor
        for key, tensor in made.tensors.items()
        if key.startswith(SAM_PREFIX["mglmm"])
    }
    torch.save(sam, root / "sam.pth")
    tensors = {
        key: tensor
        for key, tensor in made.tensors.items()
        if not key.startswith((SAM_PREFIX["mglmm"], "model.text_hidden_fcs."))
    }
    for table in ("model.embed_tokens.weight", "lm_head.weight"):
        tensors[table] = tensors[table][:PIECES].clone()
    save_file(tensors, made.folder / "model.safetensors")
    edit_json(
        made.folder / "config.json",
        architectures=["LlavaLlamaForCausalLM"],
        vocab_size=PIECES,
        out_dim=None,
        seg_token_idx=None,
    )
    (made.folder / "added_tokens.json").unlink()
    return Made(made.folder, made.tower, made.config, made.network, tensors)


def rewrite(made: Made, tensors: Mapping[str, Tensor], name: str = "pytorch_model.bin") -> Path:
    """Give a checkpoint other weights, as a torch file; returns its folder."""
    (made.folder / "model.safetensors").unlink(missing_ok=True)
    torch.save(dict(tensors), made.folder / name)
    return made.folder


def official_config(config: ModelConfig, family: str) -> dict[str, Any]:
    """The config.json of a release."""
    return {
        **{key: value for key, value in config.language.options.items() if key != "num_key_value_heads"},
        "architectures": [ARCHITECTURE[family]],
        "model_type": "llava",
        "mm_vision_tower": "clip",
        "vision_tower": "clip",
        "mm_vision_select_layer": -2,
        "mm_vision_select_feature": "patch",
        "out_dim": config.mask_decoder.dim,
        "seg_token_idx": PIECES + ADDED[family].index("[SEG]"),
    }


@cache
def pieces() -> bytes:
    """A SentencePiece model with `PIECES` pieces."""
    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=(wording for wordings in FAMILIES.values() for wording in wordings),
        model_writer=model,
        vocab_size=PIECES,
        minloglevel=2,
    )
    return model.getvalue()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a table."""
    path.write_text(json.dumps(content), encoding="utf-8")


def edit_json(path: Path, **changes: Any) -> None:
    """Change keys of a table; None takes one out."""
    content = json.loads(path.read_text(encoding="utf-8")) | changes
    write_json(path, {key: value for key, value in content.items() if value is not None})


def _official(state: Mapping[str, Tensor], sam: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Weights by the keys of a release, and those of the tower by theirs."""
    names = {
        "pixel_encoder.vit.": f"{sam}image_encoder.",
        "mask_head.": sam,
        "projector.": "model.mm_projector.",
        "text_hidden_fcs.": "model.text_hidden_fcs.0.",
        "region_encoder.": "model.region_encoder.",
        "language_model.": "",
    }
    tensors = {}
    for name, tensor in state.items():
        for ours, theirs in names.items():
            if name.startswith(ours):
                tensors[theirs + name.removeprefix(ours)] = tensor.clone()
    # A buffer that transformers 4.28 stored with the weights.
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.rand(4)
    ours = "global_encoder.tower."
    tower = {
        f"vision_model.{name.removeprefix(ours)}": tensor.clone()
        for name, tensor in state.items()
        if name.startswith(ours)
    }
    return tensors, tower


def _write_tower(folder: Path, config: Any, tensors: dict[str, Tensor]) -> None:
    folder.mkdir()
    positions = torch.arange(config.tokens + 1)[None]
    save_file(tensors | {"vision_model.embeddings.position_ids": positions}, folder / "model.safetensors")
    options = {
        name: getattr(config, name) for name in type(config).model_fields if name not in ("kind", "select_layer")
    }
    write_json(folder / "config.json", {"model_type": "clip_vision_model", **options})
    write_json(
        folder / "preprocessor_config.json",
        {
            "image_mean": CLIP_MEAN,
            "image_std": CLIP_STD,
            "crop_size": {"height": config.image_size, "width": config.image_size},
            "size": {"shortest_edge": config.image_size},
        },
    )
