"""A model with an adapter becomes one without: the factors go into the weights."""

from __future__ import annotations

from pathlib import Path

import torch

from engine.errors import UsageError
from engine.model import adapter
from engine.model.checkpoint import load, save
from engine.model.manifest import MANIFEST

_MODEL, _BEST = "model", "best"
"""Models in the folder of a training run."""


def merge(source: str, out: Path, *, dtype: torch.dtype = torch.float32) -> None:
    """Merge a model's adapter into its weights.

    Args:
        source: what `engine.model.checkpoint.load` takes, or the folder of a training run that has ended.
        out: the new model's folder; must be empty or not exist.
        dtype: of the stored weights; in float32 the answers stay the same, half precision rounds the sums.

    Raises:
        UsageError: if there is no such model, it has no adapter, or `out` holds something.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: exists and is not an empty folder; choose another")
    checkpoint = load(str(_model_of(source)))
    if not adapter.has_adapter(checkpoint.model.language_model):
        raise UsageError(f"{source}: has no adapter, so there is nothing to merge")
    adapter.merge(checkpoint.model.language_model)
    save(out, checkpoint.model, checkpoint.tokenizer, dtype=dtype, terms=checkpoint.terms)


def _model_of(source: str) -> str | Path:
    run = Path(source)
    if not run.is_dir() or (run / MANIFEST).is_file():
        return source
    if (run / _MODEL / MANIFEST).is_file():
        return run / _MODEL
    if (run / _BEST / MANIFEST).is_file():
        raise UsageError(f"{run}: training has not ended; the best model so far is {run / _BEST}")
    return source
