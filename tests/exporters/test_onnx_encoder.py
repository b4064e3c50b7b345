"""The exported pixel encoder against torch, and what it is made of."""

from __future__ import annotations

import shutil
from pathlib import Path

import onnx
import pytest
import torch

from engine.errors import UsageError
from engine.images.decode import decode
from engine.images.transforms import make_views
from engine.model.checkpoint import ENCODER, Checkpoint, load, save
from engine.model.config import ModelConfig
from engine.model.manifest import add_to_manifest
from engine.model.mglmm import MGLMM
from engine.model.onnx_encoder import OnnxPixelEncoder, outputs_of
from engine.model.precision import Precision
from exporters.onnx_encoder import export_encoder
from tests.engine.tiny import FINE, TINY, tokenizer

EXAMPLES = Path(__file__).parents[2] / "examples"


def _compare(checkpoint: Checkpoint, pixels: torch.Tensor) -> None:
    exported = checkpoint.pixel_encoder
    assert isinstance(exported, OnnxPixelEncoder)
    with torch.inference_mode():
        expected, found = outputs_of(checkpoint.model.pixel_encoder(pixels)), outputs_of(exported(pixels))
    assert list(found) == list(expected)
    for name, maps in expected.items():
        bound = 1e-4 * max(1.0, float(maps.abs().max()))
        assert float((found[name] - maps).abs().max()) < bound, name


def test_the_shipped_one_gives_what_torch_gives() -> None:
    nano = load("nano")
    names = ("astronaut.jpg", "chelsea.png", "coffee.jpg")
    views = [make_views(decode(EXAMPLES / name), nano.config).pixels for name in names]
    _compare(nano, torch.stack(views))


def _saved(folder: Path, config: ModelConfig = TINY, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    save(folder, MGLMM(config), tokenizer(), dtype=torch.float32)
    return folder


@pytest.mark.parametrize("config", [TINY, FINE], ids=lambda config: config.name)
def test_any_number_of_photographs_with_and_without_finer_maps(config: ModelConfig, tmp_path: Path) -> None:
    _saved(tmp_path, config)
    assert export_encoder(tmp_path) == tmp_path / ENCODER
    model = load(str(tmp_path))
    side = model.config.pixel_encoder.image_size
    for images in (1, 3):
        _compare(model, torch.randn(images, 3, side, side))
    assert not isinstance(load(str(tmp_path), precision=Precision.BFLOAT16).pixel_encoder, OnnxPixelEncoder)


def test_the_file_holds_no_weights_and_so_goes_with_others_of_the_same_network(tmp_path: Path) -> None:
    folder, other = _saved(tmp_path / "one"), _saved(tmp_path / "other", seed=1)
    path = export_encoder(folder)
    assert path is not None
    graph = onnx.load(path, load_external_data=False).graph
    inside = sum(len(one.raw_data) for one in graph.initializer)
    assert inside < 4096 < sum(weights.numel() for weights in load(str(folder)).model.pixel_encoder.parameters())
    shutil.copy(path, other / ENCODER)
    add_to_manifest(other, other / ENCODER)
    side = TINY.pixel_encoder.image_size
    _compare(load(str(other)), torch.randn(1, 3, side, side))


def test_a_graph_of_another_network_is_refused(tmp_path: Path) -> None:
    folder, fine = _saved(tmp_path / "model"), _saved(tmp_path / "fine", FINE)
    path = export_encoder(fine)
    assert path is not None
    shutil.copy(path, folder / ENCODER)
    add_to_manifest(folder, folder / ENCODER)
    model = load(str(folder))
    with pytest.raises(UsageError, match="pixel_encoder.onnx.*export it again"):
        _ = model.pixel_encoder
