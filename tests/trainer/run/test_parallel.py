"""Two processes over gloo do what one does with the whole batch; processes without a connection are refused."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.model.checkpoint import load
from tests.trainer import making
from tests.trainer.spawning import spawn

RECIPE: dict[str, Any] = {**making.COMPARABLE, "steps": 10, "save_every": 5}


def _process(rank: int, recipe: Path, out: Path) -> None:
    from trainer.learning import optimizer_step
    from trainer.run import loop

    gradients: list[dict[str, torch.Tensor]] = []
    step = optimizer_step.Stepper.step

    def noting(self: optimizer_step.Stepper, number: int, parts: Any) -> dict[str, float]:
        losses = step(self, number, parts)
        named = self._module.named_parameters()
        # What stays behind after a step is the clipped gradient, which is as clipped in both.
        gradients.append({n.removeprefix("module."): p.grad.clone() for n, p in named if p.grad is not None})
        return losses

    optimizer_step.Stepper.step = noting  # type: ignore[method-assign]
    prepare = loop.prepare
    made: list[Any] = []

    def kept(*args: Any) -> Any:
        made.append(prepare(*args))
        return made[-1]

    loop.prepare = kept  # type: ignore[assignment]
    loop.train(recipe, out)
    weights = made[0].run.plain.state_dict()
    torch.save({"gradients": gradients, "weights": weights}, out / f"rank{rank}.pt")


def _run(processes: int, recipe: Path, out: Path) -> list[dict[str, Any]]:
    spawn(_process, processes, recipe, out)
    return [torch.load(out / f"rank{rank}.pt", weights_only=True) for rank in range(processes)]


def test_two_processes_have_the_gradients_of_one_and_end_with_the_same_weights(tmp_path: Path) -> None:
    recipe = making.recipe(tmp_path, **RECIPE)
    first, second = _run(2, recipe, tmp_path / "two")
    for name, tensor in first["weights"].items():
        assert torch.equal(tensor, second["weights"][name]), name

    (alone,) = _run(1, recipe, tmp_path / "one")
    for mine, theirs in zip(first["gradients"], alone["gradients"], strict=True):
        assert mine.keys() == theirs.keys()
        for name, gradient in mine.items():
            torch.testing.assert_close(gradient, theirs[name], atol=1e-5, rtol=1e-3, msg=name)
    logs = [(tmp_path / out / "log.jsonl").read_text().splitlines() for out in ("one", "two")]
    assert len(logs[0]) == len(logs[1])
    assert load(str(tmp_path / "two" / "model")).config.name == "tiny"


def _started_by_torchrun(rank: int, recipe: Path, out: Path) -> None:
    from mglmm_cli.main import main

    del os.environ["ACCELERATE_USE_CPU"]
    with (
        (out.parent / f"{rank}.log").open("w") as errors,
        contextlib.redirect_stderr(errors),
        pytest.raises(SystemExit) as left,
    ):
        main(["train", str(recipe), "-o", str(out)])
    assert left.value.code == 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="accelerate connects the processes over the GPUs")
def test_processes_that_would_each_train_alone_are_refused(tmp_path: Path) -> None:
    recipe, out = making.recipe(tmp_path), tmp_path / "out"
    spawn(_started_by_torchrun, 2, recipe, out)
    for rank in range(2):
        said = (tmp_path / f"{rank}.log").read_text()
        assert said.count("\n") == 1
        _assert_refused(said, out)


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="accelerate connects the processes over the GPUs")
def test_torchrun_is_told_what_connects_its_processes(tmp_path: Path) -> None:
    recipe, out = making.recipe(tmp_path), tmp_path / "out"
    started = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "mglmm_cli"]
    env = {name: value for name, value in os.environ.items() if name != "ACCELERATE_USE_CPU"}
    done = subprocess.run([*started, "train", recipe, "-o", out], env=env, capture_output=True, text=True)
    assert done.returncode
    _assert_refused(done.stderr, out)


def _assert_refused(said: str, out: Path) -> None:
    assert "mglmm: 2 processes were started" in said and "ACCELERATE_USE_CPU=true" in said
    assert not (out / "model").exists()
