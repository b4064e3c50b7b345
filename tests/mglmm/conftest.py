"""What these tests share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.model.checkpoint import load, save
from engine.model.mglmm import MGLMM
from engine.model.tokenizers import BpeTokenizer
from mglmm import Model
from tests.engine.tiny import TEXTS, TINY, leaning_to_seg


@pytest.fixture(scope="session")
def folder_without_decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model on disk; to export its decoder would take longer than all of these tests."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    torch.manual_seed(0)
    save(folder, MGLMM(TINY), BpeTokenizer.train(TEXTS * 4, 400), dtype=torch.float32)
    return folder


@pytest.fixture(scope="session")
def model(folder_without_decoder: Path) -> Model:
    """A small model whose answers have masks."""
    return Model(leaning_to_seg(load(str(folder_without_decoder)), -1), "torch")


@pytest.fixture
def pixels() -> np.ndarray:
    """A photograph that is wider than high: `(30, 40, 3)` uint8."""
    return np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
