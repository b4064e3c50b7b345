"""A small model of Sa2VA's parts with drawn weights: photographs with different numbers of image tokens, together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from engine.images.sources import Source
from engine.images.transforms import make_views
from engine.masks import rle
from engine.model.checkpoint import Checkpoint
from engine.model.config import MaskDecoderConfig, ModelConfig, Sam2EncoderConfig, TilesConfig
from engine.model.language_config import LanguageConfig
from engine.model.mglmm import MGLMM
from engine.pipeline.pipeline import Options, Pipeline
from engine.records import PhotoRecord
from tests.engine.tiny import tokenizer

SMALL = ModelConfig(
    name="small",
    global_encoder=TilesConfig(
        image_size=56, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, most_tiles=6
    ),
    projector="norm_mlp2x_gelu",
    language=LanguageConfig(
        model_type="qwen2",
        options={
            "vocab_size": 512,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 1024,
        },
    ),
    pixel_encoder=Sam2EncoderConfig(
        image_size=256,
        blocks=(1, 2, 3, 1),
        dims=(8, 16, 32, 64),
        heads=(1, 2, 4, 8),
        windows=(8, 4, 8, 4),
        global_blocks=(4,),
        out_channels=32,
    ),
    mask_decoder=MaskDecoderConfig(
        dim=32, mlp_dim=64, high_res=True, padding_prompts=2, object_score=True, best="predicted_iou"
    ),
    seg_state_offset=0,
    template="qwen_chat",
    max_new_tokens=24,
)


@pytest.fixture(scope="module")
def small() -> Checkpoint:
    torch.manual_seed(0)
    return Checkpoint("small", None, SMALL, MGLMM(SMALL).eval(), tokenizer(), "drawn")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    folder = tmp_path_factory.mktemp("photographs")
    draws = np.random.default_rng(0)
    found = []
    for number, size in enumerate([(60, 60), (90, 60), (40, 120), (64, 48), (200, 100)]):
        path = folder / f"{number}.png"
        Image.fromarray(draws.integers(0, 256, (size[1], size[0], 3), np.uint8)).save(path)
        found.append(Source(path, path.name))
    return found


def _records(small: Checkpoint, photographs: list[Source], slots: int) -> list[PhotoRecord]:
    options = Options(batch_size=slots, forced=True, seg_every=6, max_new_tokens=24)
    records = [record for _, record in Pipeline(small, options).run(photographs)]
    assert all(isinstance(record, PhotoRecord) for record in records)
    return records  # type: ignore[return-value]


def test_photographs_have_as_many_tokens_as_their_shape_asks_for(small: Checkpoint, photographs: list[Source]) -> None:
    tiles = []
    for source in photographs:
        views = make_views(np.asarray(Image.open(source.path)), SMALL)
        assert views.clip is not None
        tiles.append(len(views.clip))
        (tokens,) = small.model.photograph_tokens(None, [views.clip])
        assert tokens.shape == (len(views.clip) * 4, 64)
    assert len(set(tiles)) > 2 and tiles[0] == 1


def test_an_answer_does_not_depend_on_its_batch(small: Checkpoint, photographs: list[Source]) -> None:
    together, alone = (_records(small, photographs, slots) for slots in (4, 1))
    for mine, theirs in zip(together, alone, strict=True):
        assert [segcap.answer for segcap in mine.segcaps] == [segcap.answer for segcap in theirs.segcaps]
        masks = [mask for segcap in mine.segcaps for mask in segcap.masks]
        assert masks
        others = [mask for segcap in theirs.segcaps for mask in segcap.masks]
        for one, other in zip(masks, others, strict=True):
            pixels = rle.decode(one.rle)
            assert pixels.shape == (mine.height, mine.width)
            assert (pixels != rle.decode(other.rle)).mean() < 1e-2
