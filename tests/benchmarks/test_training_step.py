"""Where a training step's time goes, at tiny size."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.training_step import measure
from tests.trainer import making
from trainer.recipe import read_recipe


def test_parts_of_a_step_are_noted_once_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = read_recipe(making.recipe(tmp_path))
    monkeypatch.chdir(tmp_path)
    found = measure(recipe, 3)
    seconds = found["seconds a step"]
    assert {"backbone", "language model", "mask decoder", "backward", "optimiser", "step"} <= set(seconds)
    parts = seconds["pixel encoder, all"] + seconds["language model"] + seconds["backward"]
    assert 0 < parts <= seconds["step"] * 1.5
    assert found["photographs a second"] == pytest.approx(recipe.batch_size / seconds["step"], rel=0.2)
