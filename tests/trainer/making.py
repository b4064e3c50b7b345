"""A whole training run in miniature: made photographs with records about them, a tiny model, a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml

from engine.model.checkpoint import save
from engine.model.mglmm import MGLMM
from engine.model.tokenizers import BpeTokenizer
from tests.engine.tiny import TEXTS, TINY
from tests.trainer.data.recording import caption, photographs, referring, store

RECIPE: dict[str, Any] = {
    "steps": 6,
    "batch_size": 4,
    "optimizer": {"lr": 1e-3, "warmup": 2},
    "workers": 0,
    "save_every": 2,
}
DEFAULT = {"parts": ["embeddings", "lm_head", "projector", "text_hidden_fcs", "mask_decoder"]}
COMPARABLE: dict[str, Any] = {
    "train": {**DEFAULT, "lora": {"dropout": 0.0}},
    # All masks of a step, whoever decodes them; small steps, so that rounding does not grow.
    "masks_per_step": 1000,
    "optimizer": {"lr": 1e-4, "warmup": 1},
}
"""What a recipe needs to come out alike with any number of processes."""


def tokenizer() -> BpeTokenizer:
    return BpeTokenizer.train(TEXTS * 4, 400)


def model_folder(folder: Path) -> Path:
    """The tiny model with random weights."""
    torch.manual_seed(0)
    save(folder, MGLMM(TINY), tokenizer(), dtype=torch.float32)
    return folder


def records(folder: Path) -> Path:
    """Eight photographs, each with a mask or a caption."""
    names = [f"{number}.png" for number in range(8)]
    photographs(folder, names)
    made = [caption(name) if number % 4 == 3 else referring(name) for number, name in enumerate(names)]
    store(folder / "records", made)
    return folder / "records"


def recipe(folder: Path, **changes: Any) -> Path:
    """A recipe that trains the tiny model on the made records, both of which are made beside it."""
    model, data = folder / "tiny", folder / "records"
    if not model.is_dir():
        model_folder(model)
        records(folder)
    path = folder / "recipe.yaml"
    content = RECIPE | {"start": {"model": str(model)}, "records": [{"path": str(data)}]}
    path.write_text(yaml.safe_dump(content | changes))
    return path
