"""Weights sharded over two processes (FSDP2) train to what one process has, and go on after an interruption.

accelerate offers FSDP on accelerators only; torch has it over gloo too, so here the processes are told that they have
been started with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from engine.model.checkpoint import load
from tests.trainer import making
from tests.trainer.spawning import spawn

RECIPE: dict[str, Any] = {**making.COMPARABLE, "steps": 4, "save_every": 2}


class _Interrupted(Exception):
    pass


def _process(rank: int, shards: int, recipe: Path, out: Path, stop: int | None) -> None:
    from accelerate import Accelerator, PartialState
    from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin

    from trainer.learning import optimizer_step
    from trainer.run import loop, parallel

    def sharded(**settings: Any) -> Accelerator:
        made = Accelerator(**settings)
        for state in (PartialState._shared_state, made.state._shared_state):
            state["distributed_type"] = DistributedType.FSDP
        made.state.fsdp_plugin = FullyShardedDataParallelPlugin(
            fsdp_version=2,
            auto_wrap_policy="transformer_based_wrap",
            transformer_cls_names_to_wrap=["LlamaDecoderLayer"],
            state_dict_type="SHARDED_STATE_DICT",
            cpu_ram_efficient_loading=False,
        )
        return made

    step = optimizer_step.Stepper.step

    def until(self: optimizer_step.Stepper, number: int, parts: Any) -> dict[str, float]:
        if number == stop:
            raise _Interrupted
        return step(self, number, parts)

    optimizer_step.Stepper.step = until  # type: ignore[method-assign]
    if shards > 1:
        parallel.Accelerator = sharded
    try:
        loop.train(recipe, out)
    except _Interrupted:
        assert not (out / "model").exists()


def _train(processes: int, recipe: Path, out: Path, stop: int | None = None) -> None:
    spawn(_process, processes, processes, recipe, out, stop)


def test_sharded_training_is_that_of_one_process_and_continues(tmp_path: Path) -> None:
    recipe = making.recipe(tmp_path, **RECIPE)
    _train(1, recipe, tmp_path / "one")
    _train(2, recipe, tmp_path / "whole")
    _train(2, recipe, tmp_path / "broken", stop=3)
    state = tmp_path / "broken" / "state"
    assert torch.load(state / "facts.pt", weights_only=True)["step"] == 2
    assert len(list(state.glob("random_states_*"))) == 2
    _train(2, recipe, tmp_path / "broken")

    began = load_file(tmp_path / "tiny" / "model.safetensors")
    for file in ("model.safetensors", "adapter_model.safetensors"):
        one, whole, broken = (load_file(tmp_path / run / "model" / file) for run in ("one", "whole", "broken"))
        assert one.keys() == whole.keys() == broken.keys() and one
        moved = 0
        for name, tensor in one.items():
            torch.testing.assert_close(whole[name], tensor, atol=2e-4, rtol=2e-3, msg=name)
            assert torch.equal(whole[name], broken[name]), name
            moved += int(name not in began or not torch.equal(tensor, began[name].to(tensor.dtype)))
        assert moved
    assert load(str(tmp_path / "whole" / "model")).config.name == "tiny"
