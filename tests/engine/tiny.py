"""A whole model with random weights, small enough for unit tests."""

from __future__ import annotations

from dataclasses import replace

import torch

from engine.model.checkpoint import Checkpoint
from engine.model.config import MaskDecoderConfig, ModelConfig, PyramidConfig, PyramidTokensConfig
from engine.model.language_config import LanguageConfig
from engine.model.mglmm import MGLMM
from engine.model.tokenizers import BpeTokenizer

TINY = ModelConfig(
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
"""96 pixels, two layers, 64 channels."""

FINE = TINY.model_copy(
    update={
        "name": "fine",
        "pixel_encoder": TINY.pixel_encoder.model_copy(update={"high_res": True}),
        "mask_decoder": TINY.mask_decoder.model_copy(update={"high_res": True, "upscaling": (3, 2)}),
    }
)
"""The same with finer maps for the mask decoder, and masks of 48 instead of 32."""

TEXTS = (
    "Describe all the objects in the image comprehensively, with interleaved masks.",
    "The image shows <p> a dog </p> [SEG], <p> two cats </p> [SEG] [SEG] and <p> the sky </p> [SEG].",
)


def tokenizer() -> BpeTokenizer:
    """What fits the tiny models."""
    return BpeTokenizer.train(TEXTS * 4, 400)


def leaning_to_seg(checkpoint: Checkpoint, offset: int) -> Checkpoint:
    """A copy that often says `[SEG]` and never stops, with the given `seg_state_offset`."""
    config = checkpoint.config.model_copy(update={"seg_state_offset": offset})
    model = MGLMM(config).eval()
    model.load_state_dict(checkpoint.model.state_dict())
    untied = torch.nn.Linear(64, 400)
    with torch.no_grad():
        untied.weight.copy_(torch.randn(400, 64, generator=torch.Generator().manual_seed(1)))
        untied.bias.zero_()
        untied.bias[checkpoint.tokenizer.seg] = 18.0
        untied.bias[checkpoint.tokenizer.eos] = -99.0
    model.language_model.lm_head = untied
    return replace(checkpoint, config=config, model=model)
