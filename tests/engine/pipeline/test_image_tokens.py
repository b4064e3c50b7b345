"""Small models of Sa2VA's parts with drawn weights: photographs with different numbers of image tokens, together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from engine.bench.generous import GenerousLoop
from engine.doctor.facts import Status
from engine.doctor.selftest import self_test
from engine.images.sources import Source
from engine.images.transforms import make_views
from engine.masks import rle
from engine.model.checkpoint import Checkpoint
from engine.model.config import GridConfig, MaskDecoderConfig, ModelConfig, Sam2EncoderConfig, TilesConfig
from engine.model.language_config import LanguageConfig
from engine.model.mglmm import MGLMM
from engine.pipeline.pipeline import Options, Pipeline
from engine.records import PhotoRecord
from tests.engine.tiny import tokenizer

TILES = ModelConfig(
    name="tiles",
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


GRID = ModelConfig.model_validate(
    TILES.model_dump()
    | {
        "name": "grid",
        "global_encoder": GridConfig(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=3,
            num_attention_heads=4,
            position_side=8,
            deep=(0, 2),
            least_pixels=8 * 1024,
            most_pixels=16 * 1024,
        ).model_dump(),
        "projector": "none",
        "language": {
            "model_type": "qwen3_vl_text",
            "options": {
                **TILES.language.options,
                "num_hidden_layers": 3,
                "head_dim": 16,
                "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [4, 2, 2]},
            },
        },
        "seg_state_normed": False,
        "template": "qwen3_vl",
    }
)


@pytest.fixture(scope="module", params=[TILES, GRID], ids=lambda config: config.name)
def small(request: pytest.FixtureRequest) -> Checkpoint:
    torch.manual_seed(0)
    config: ModelConfig = request.param
    return Checkpoint(config.name, None, config, MGLMM(config).eval(), tokenizer(), "drawn")


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
    view, found = small.config.global_encoder, set()
    for source in photographs:
        views = make_views(np.asarray(Image.open(source.path)), small.config)
        assert views.clip is not None
        (tokens,) = small.model.photograph_tokens(None, [views.clip])
        if isinstance(view, GridConfig):
            # Each with its two deep features.
            assert views.grid is not None and tokens.shape == (views.grid[0] * views.grid[1], 3 * 64)
            assert 8 <= len(tokens) <= 16
        else:
            assert tokens.shape == (len(views.clip) * 4, 64)
        found.add(views.grid or len(views.clip))
    assert len(found) > 2


def test_the_thinnest_photographs_have_no_more_tokens_than_others() -> None:
    view = GRID.global_encoder
    for size in ((1, 5000), (5000, 1), (3, 900)):
        views = make_views(np.zeros((*size, 3), np.uint8), GRID)
        assert views.grid is not None and views.grid[0] * views.grid[1] <= view.tokens


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


def test_the_plain_loop_gives_the_same(small: Checkpoint, photographs: list[Source]) -> None:
    options = Options(batch_size=2, forced=True, seg_every=6, max_new_tokens=24)
    for mine, source in zip(_records(small, photographs[1:3], 2), photographs[1:3], strict=True):
        theirs = GenerousLoop(small, options).run(source).record
        assert [one.answer.raw for one in mine.segcaps] == [one.answer.raw for one in theirs.segcaps]
        masks = [
            [rle.decode(mask.rle) for segcap in record.segcaps for mask in segcap.masks] for record in (mine, theirs)
        ]
        assert masks[0]
        for one, other in zip(*masks, strict=True):
            assert (one != other).mean() < 1e-2


def test_cached_steps_say_what_a_pass_over_the_whole_says(small: Checkpoint) -> None:
    for found in self_test(small):
        assert found.status is not Status.FAILED, found
