"""Models that the engine's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.model.checkpoint import Checkpoint, load, save
from engine.model.mglmm import MGLMM
from exporters.onnx import export
from tests.engine.tiny import TINY, tokenizer


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model on disk, its decoder exported."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    torch.manual_seed(0)
    save(folder, MGLMM(TINY), tokenizer(), dtype=torch.float32)
    export(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path) -> Checkpoint:
    """The tiny model, loaded."""
    return load(str(tiny_folder))
