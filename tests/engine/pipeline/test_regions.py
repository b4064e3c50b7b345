"""Questions about a region, by what the model was trained with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import AddedToken, Tokenizer

from engine.decoding.sequence import embed_text
from engine.errors import UsageError
from engine.model.checkpoint import Checkpoint
from engine.model.config import ClipConfig, MaskDecoderConfig, ModelConfig, RegionEncoderConfig, SamEncoderConfig
from engine.model.language_config import LanguageConfig
from engine.model.mglmm import MGLMM
from engine.model.presets import PRESETS
from engine.model.tokenizers import BpeTokenizer
from engine.pipeline.pipeline import Options, Pipeline
from engine.pipeline.regions import about_region
from engine.text.prompts import Box
from tests.engine.tiny import TEXTS, TINY

WITH_ENCODER = ModelConfig(
    name="regions",
    global_encoder=ClipConfig(
        image_size=56, hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4
    ),
    language=LanguageConfig(options=TINY.language.options | {"tie_word_embeddings": False, "num_key_value_heads": 4}),
    pixel_encoder=SamEncoderConfig(
        image_size=128, embed_dim=32, depth=2, num_heads=2, global_attn_indexes=(1,), window_size=5, out_channels=32
    ),
    mask_decoder=MaskDecoderConfig(dim=32, mlp_dim=64),
    region_encoder=RegionEncoderConfig(layers=(-3, -2), dim=32, groups=4, position_dim=16, bins=4, box_side=56),
)
IMAGE = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
BOX = Box(0.25, 0.5, 0.75, 1.0)


@pytest.fixture(scope="module")
def glamm(tiny_folder: Path) -> Checkpoint:
    """A model with a region encoder and random weights."""
    torch.manual_seed(0)
    model = MGLMM(WITH_ENCODER).eval()
    tokens = Tokenizer.from_str((tiny_folder / "tokenizer.json").read_text())
    tokens.add_special_tokens([AddedToken("<bbox>", lstrip=True)])
    tokenizer = BpeTokenizer(tokens)
    assert model.region_encoder is not None
    table = model.language_model.get_input_embeddings().weight
    assert isinstance(table, torch.Tensor)
    with torch.no_grad():
        table.normal_()
        # Fresh weights hardly look back; these do.
        for weight in (*model.language_model.model.layers.parameters(), model.region_encoder.roi_align.updims.weight):
            if weight.dim() > 1:
                weight.normal_(std=0.5)
    return Checkpoint("regions", None, WITH_ENCODER, model, tokenizer, "0" * 64)


def test_a_model_with_a_region_encoder_reads_a_vector() -> None:
    asked = about_region(WITH_ENCODER, IMAGE, BOX, None)
    assert asked.text.count("<bbox>") == 1
    assert asked.boxes == (BOX,)
    assert asked.image is IMAGE
    assert about_region(WITH_ENCODER, IMAGE, BOX, "Who is it?").text == "Who is it? <bbox>"
    assert about_region(WITH_ENCODER, IMAGE, BOX, "Who is <bbox>?").text == "Who is <bbox>?"


def test_the_embedded_model_reads_the_box_as_text() -> None:
    asked = about_region(PRESETS["nano"], IMAGE, BOX, "Who is it?")
    assert (asked.text, asked.boxes) == ("Who is it? [25, 50, 75, 100]", ())
    assert "[25, 50, 75, 100]" in about_region(PRESETS["nano"], IMAGE, BOX, None).text


def test_other_public_models_see_the_region_alone() -> None:
    asked = about_region(PRESETS["7b"], IMAGE, BOX, None)
    assert asked.text == "Please describe the image."
    np.testing.assert_array_equal(asked.image, IMAGE[30:60, 20:60])
    assert (asked.left, asked.top) == (20, 30)
    tiny = about_region(PRESETS["7b"], IMAGE, Box(0.999, 0.999, 1, 1), None)
    assert tiny.image.shape == (1, 1, 3)


def test_region_vectors_stand_at_their_tokens(glamm: Checkpoint) -> None:
    table = glamm.model.language_model.get_input_embeddings()
    region = glamm.tokenizer.region
    assert region is not None
    ids = [*glamm.tokenizer.encode("What is "), region, 5, region]
    vectors = torch.arange(128.0).reshape(2, 64)
    embedded = embed_text(table, ids, vectors, region, like=torch.zeros(1))
    torch.testing.assert_close(embedded[[-3, -1]], vectors)
    torch.testing.assert_close(embedded[-2], table(torch.tensor(5)))
    with pytest.raises(UsageError, match="2 <bbox>, but 1 region"):
        embed_text(table, ids, vectors[:1], region, like=torch.zeros(1))


def test_another_box_changes_the_answer(glamm: Checkpoint) -> None:
    pipeline = Pipeline(glamm, Options(decoder="torch", max_new_tokens=12))
    answers = [
        pipeline.ask(IMAGE, ["Describe <bbox>."], box)[0].answer.raw
        for box in (BOX, BOX, Box(0, 0, 0.3, 0.3), Box(0.6, 0, 1, 0.2))
    ]
    assert answers[0] == answers[1]
    assert len(set(answers)) > 1


def test_masks_of_a_cut_out_lie_in_the_whole_photograph() -> None:
    torch.manual_seed(0)
    config = WITH_ENCODER.model_copy(update={"region_encoder": None})
    tokenizer = BpeTokenizer.train(TEXTS * 4, 390)
    model = MGLMM(config).eval()
    model.language_model.lm_head = torch.nn.Linear(64, 400)
    with torch.no_grad():
        model.language_model.lm_head.weight.zero_()
        model.language_model.lm_head.bias[tokenizer.seg] = 9.0  # says [SEG] to everything
    checkpoint = Checkpoint("cut", None, config, model, tokenizer, "0" * 64)
    (segcap,) = Pipeline(checkpoint, Options(decoder="torch", max_new_tokens=2)).ask(IMAGE, ["Segment it."], BOX)
    assert len(segcap.masks) == 2
    for mask in segcap.masks:
        assert (mask.rle.height, mask.rle.width) == (60, 80)
        x, y, width, height = mask.bbox
        if mask.area:
            assert x >= 20 and y >= 30 and x + width <= 60 and y + height <= 60


def test_a_region_token_that_the_tokenizer_lacks_is_named() -> None:
    tokenizer = BpeTokenizer.train(TEXTS * 4, 390)
    checkpoint = Checkpoint("none", None, WITH_ENCODER, MGLMM(WITH_ENCODER).eval(), tokenizer, "0" * 64)
    with pytest.raises(UsageError, match="no token <bbox>"):
        Pipeline(checkpoint, Options(decoder="torch")).ask(IMAGE, [], BOX)
