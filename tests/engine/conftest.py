"""A whole model with random weights, small enough for unit tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.model.checkpoint import Checkpoint, load, save
from engine.model.config import (
    LanguageConfig,
    MaskDecoderConfig,
    ModelConfig,
    PyramidConfig,
    PyramidTokensConfig,
)
from engine.model.mglmm import MGLMM
from engine.model.tokenizer import TextTokenizer
from exporters.onnx import export

TEXTS = [
    "Describe all the objects in the image comprehensively, with interleaved masks.",
    "The image shows <p> a dog </p> [SEG], <p> two cats </p> [SEG] [SEG] and <p> the sky </p> [SEG].",
]


def tiny_config(**changes: object) -> ModelConfig:
    """A model of 96 pixels, two layers and 64 channels."""
    base = ModelConfig(
        name="tiny",
        global_encoder=PyramidTokensConfig(tokens_per_side=3),
        language=LanguageConfig(
            options={
                "vocab_size": 400,
                "hidden_size": 64,
                "intermediate_size": 128,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "num_key_value_heads": 2,
                "max_position_embeddings": 256,
                "tie_word_embeddings": True,
            }
        ),
        pixel_encoder=PyramidConfig(image_size=96, out_channels=32),
        mask_decoder=MaskDecoderConfig(dim=32, mlp_dim=64, num_heads=4),
        template="nano",
        max_new_tokens=24,
    )
    return ModelConfig.model_validate(base.model_dump() | changes)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model on disk, its decoder exported."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    torch.manual_seed(0)
    save(folder, MGLMM(tiny_config()), TextTokenizer.train(TEXTS * 4, 400), dtype=torch.float32)
    export(load(str(folder)))
    return folder


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path) -> Checkpoint:
    """The tiny model, loaded."""
    return load(str(tiny_folder))


def load_with_offset(checkpoint: Checkpoint, offset: int) -> Checkpoint:
    """A copy whose random weights lean towards `[SEG]`, with the given `seg_state_offset`."""
    config = checkpoint.config.model_copy(update={"seg_state_offset": offset})
    model = MGLMM(config).eval()
    model.load_state_dict(checkpoint.model.state_dict())
    untied = torch.nn.Linear(64, 400)
    with torch.no_grad():
        draws = torch.Generator().manual_seed(1)
        untied.weight.copy_(torch.randn(400, 64, generator=draws))
        untied.bias.zero_()
        untied.bias[checkpoint.tokenizer.seg] = 18.0
        untied.bias[checkpoint.tokenizer.eos] = -99.0
    model.language_model.lm_head = untied
    return replace(checkpoint, config=config, model=model)
