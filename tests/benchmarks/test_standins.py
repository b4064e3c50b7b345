"""What stands in for a package gives what the package gives, as far as the engine asks."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import orjson
import pytest
import segment_anything.modeling as sam
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pluralizer import Pluralizer
from pycocotools import mask as coco_mask
from torch import nn

from benchmarks.gpu_parts.running import STAND_INS
from engine.model import config, config_part, grid_config, language_config, mask_head
from engine.model.embedding import ImageEmbedding
from engine.model.presets import PRESETS
from engine.model.sources import DEFAULT

ROOT = Path(__file__).parents[2]


def _loaded(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _stand_in(name: str) -> Any:
    return _loaded(STAND_INS / name, f"stand_in_{Path(name).stem}")


def _over(monkeypatch: pytest.MonkeyPatch, module: ModuleType, package: str, stand_in: ModuleType) -> Any:
    """A module of the engine once more, over what stands in for a package."""
    monkeypatch.setitem(sys.modules, package, stand_in)
    return _again(module, f"over_stand_in_{module.__name__.rpartition('.')[2]}")


def _again(module: ModuleType, name: str) -> ModuleType:
    assert module.__file__ is not None
    return _loaded(Path(module.__file__), name)


@st.composite
def masks(draw: st.DrawFn) -> np.ndarray:
    """`(H, W)` uint8: noise, bars or nothing."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    noise = rng.random((height, width)) < draw(st.sampled_from([0.0, 0.02, 0.5, 1.0]))
    if draw(st.booleans()):
        noise[draw(st.integers(0, height)) :, draw(st.integers(0, width)) :] = True
    return noise.astype(np.uint8)


@given(masks())
def test_masks(mask: np.ndarray) -> None:
    stand_in = _stand_in("pycocotools/mask.py")
    columns = np.asfortranarray(mask[..., None])
    (expected,), (found,) = coco_mask.encode(columns), stand_in.encode(columns)
    assert found == expected
    assert np.array_equal(stand_in.decode(found), coco_mask.decode(expected))
    assert stand_in.area(found) == coco_mask.area(expected)
    assert stand_in.toBbox(found).tolist() == coco_mask.toBbox(expected).tolist()


@given(st.lists(st.integers(0, 2**26), min_size=1, max_size=30))
def test_run_lengths(runs: list[int]) -> None:
    size = sum(runs) or 1
    runs[-1] += size - sum(runs)
    table = {"size": [size, 1], "counts": runs}
    stand_in = _stand_in("pycocotools/mask.py")
    assert stand_in.frPyObjects(table, size, 1) == coco_mask.frPyObjects(table, size, 1)


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, None, True, "é\n\x7f"], "b": {"c": []}},
        [float("nan"), {"x": float("inf")}, (1, 2)],
        "",
        1e-5,
        -0.0,
    ],
)
def test_json(value: object) -> None:
    stand_in = _stand_in("orjson.py")
    assert orjson.loads(stand_in.dumps(value)) == orjson.loads(orjson.dumps(value))
    assert stand_in.loads(orjson.dumps(value)) == orjson.loads(orjson.dumps(value))


@pytest.mark.parametrize("value", ["\udce9", {1, 2}, object()])
def test_what_json_does_not_take(value: object) -> None:
    with pytest.raises(TypeError):
        _stand_in("orjson.py").dumps(value)
    with pytest.raises(TypeError):
        orjson.dumps(value)


def test_json_that_is_none() -> None:
    with pytest.raises(ValueError):
        _stand_in("orjson.py").loads(b"{")


@pytest.fixture
def configs(monkeypatch: pytest.MonkeyPatch) -> Any:
    stand_in = _stand_in("pydantic.py")
    monkeypatch.setitem(sys.modules, "pydantic", stand_in)
    # What the configs are made of first, by the names under which the configs import it.
    for module in (config_part, language_config, grid_config):
        monkeypatch.setitem(sys.modules, module.__name__, module)
        _again(module, module.__name__)
    return _over(monkeypatch, config, "pydantic", stand_in)


@pytest.mark.parametrize("preset", PRESETS)
def test_configurations(configs: Any, preset: str) -> None:
    real = PRESETS[preset]
    for made in (
        configs.ModelConfig.model_validate(real.model_dump()),
        configs.ModelConfig.model_validate_json(real.model_dump_json()),
    ):
        assert made.model_dump() == real.model_dump()
        assert config.ModelConfig.model_validate_json(made.model_dump_json(indent=2)) == real
        for part in ("global_encoder", "pixel_encoder", "language", "mask_decoder"):
            assert type(getattr(made, part)).__name__ == type(getattr(real, part)).__name__
        assert made.global_encoder.tokens == real.global_encoder.tokens
        assert made.pixel_encoder.grid == real.pixel_encoder.grid
        copy = made.model_copy(update={"name": "other"})
        assert copy != made and hash(copy) != hash(made) and copy.model_copy(update={"name": made.name}) == made


def test_the_embedded_models_configuration(configs: Any) -> None:
    text = (DEFAULT / "config.json").read_text()
    assert (
        configs.ModelConfig.model_validate_json(text).model_dump()
        == config.ModelConfig.model_validate_json(text).model_dump()
    )


def test_configurations_are_frozen_and_know_their_names(configs: Any) -> None:
    errors = sys.modules["pydantic"].ValidationError
    for table, name in (({"tokens_per_side": 3, "size": 1}, "size"), ({}, "options")):
        with pytest.raises(errors) as caught:
            (configs.PyramidTokensConfig if table else configs.LanguageConfig)(**table)
        assert caught.value.errors()[0]["loc"] == (name,)
    with pytest.raises(AttributeError):
        configs.PyramidTokensConfig().tokens_per_side = 4


@pytest.mark.parametrize("window", [0, 4])
def test_the_image_encoder(window: int) -> None:
    options: dict[str, Any] = {
        "img_size": 160,
        "patch_size": 16,
        "embed_dim": 32,
        "depth": 3,
        "num_heads": 4,
        "mlp_ratio": 4,
        "out_chans": 16,
        "norm_layer": partial(nn.LayerNorm, eps=1e-6),
        "use_rel_pos": True,
        "window_size": window,
        "global_attn_indexes": (1,),
    }
    real, stand_in = (
        sam.ImageEncoderViT(**options),
        _stand_in("segment_anything/modeling.py").ImageEncoderViT(**options),
    )
    with torch.no_grad():
        for parameter in real.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(parameter.numel()))
        stand_in.load_state_dict(real.state_dict())
        pixels = torch.randn(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(stand_in(pixels), real(pixels), rtol=1e-5, atol=1e-5)


def test_the_mask_head(monkeypatch: pytest.MonkeyPatch) -> None:
    over = _over(monkeypatch, mask_head, "segment_anything.modeling", _stand_in("segment_anything/modeling.py"))
    parts = config.MaskDecoderConfig(dim=32, mlp_dim=64, num_heads=4)
    torch.manual_seed(0)
    real = mask_head.MaskHead(parts, grid=8, image_size=96)
    stand_in = over.MaskHead(parts, grid=8, image_size=96)
    stand_in.load_state_dict(real.state_dict())
    embedding, prompts = ImageEmbedding(torch.randn(2, 32, 8, 8)), torch.randn(5, 32)
    index = torch.tensor([0, 1, 1, 0, 1])
    with torch.no_grad():
        torch.testing.assert_close(stand_in(embedding, prompts, index), real(embedding, prompts, index))


_ANSWERS = """
import sys
from pathlib import Path
from engine.images.sources import Source
from engine.journal.lines import dump, load
from engine.model import checkpoint
from engine.pipeline.pipeline import Options, Pipeline

def answers(model, photo):
    options = Options(max_new_tokens=9, seg_every=3, decoder="torch")
    ((_, record),) = Pipeline(checkpoint.load(model), options).run([Source(Path(photo), "photo")])
    return load(dump([
        [one.answer.raw, [[mask.rle.counts, mask.area, mask.bbox] for mask in one.masks]] for one in record.segcaps
    ]))

if __name__ == "__main__":
    sys.stdout.buffer.write(dump(answers(*sys.argv[1:])))
"""


def test_the_engine_runs_over_all_of_them_and_answers_the_same(tiny_folder: Path, tmp_path: Path) -> None:
    photo = str(tmp_path / "photo.png")
    Image.effect_noise((70, 50), 90).convert("RGB").save(photo)
    real: dict[str, Any] = {"__name__": "real"}
    exec(_ANSWERS, real)
    done = subprocess.run(
        [sys.executable, "-c", _ANSWERS, str(tiny_folder), photo],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(STAND_INS), str(ROOT)))},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert answers == real["answers"](str(tiny_folder), photo)
    assert len(answers[0][1]) >= 3


@pytest.mark.parametrize(
    "word",
    "dogs buses boxes dishes benches people men women children cherries skies apples lenses glasses trees".split(),
)
def test_the_singular_of_a_plural(word: str) -> None:
    found = [_loaded(STAND_INS / "pluralizer.py", "standin_pluralizer").Pluralizer(), Pluralizer()]
    for rules in found:
        rules.add_irregular_rule("lens", "lenses")
    assert found[0].singular(word) == found[1].singular(word)
