"""The processes of a run, by accelerate: one on a CPU or GPU, or as many as `accelerate launch` has started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState, GradientState
from accelerate.utils import DistributedType

from engine.errors import UsageError
from trainer.recipe import Recipe

SHARDED = (DistributedType.FSDP, DistributedType.DEEPSPEED)
"""Where no process holds all weights."""


@contextmanager
def processes(recipe: Recipe) -> Iterator[Accelerator]:
    """The accelerator of a run.

    On a CPU the sums are made in one order: gradients of an index are otherwise added up as the threads come.

    Raises:
        UsageError: if the recipe can't be shared among the processes.
    """
    accelerator = Accelerator(
        mixed_precision="bf16" if recipe.bf16 else "no",
        gradient_accumulation_steps=recipe.accumulate,
        # A batch without masks does not reach the mask decoder.
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
    try:
        with _one_order() if accelerator.device.type == "cpu" else nullcontext():
            _check(recipe, accelerator)
            yield accelerator
    finally:
        # accelerate keeps its settings for the life of the program; the next run may have others.
        AcceleratorState._reset_state()
        GradientState._reset_state()


@contextmanager
def _one_order() -> Iterator[None]:
    deterministic: Any = torch.utils.deterministic  # typed as a plain module, without its property
    before, filled = torch.are_deterministic_algorithms_enabled(), deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    # Nothing reads memory before it is written; to fill it anyway takes a tenth of a step.
    deterministic.fill_uninitialized_memory = False
    try:
        yield
    finally:
        deterministic.fill_uninitialized_memory = filled
        torch.use_deterministic_algorithms(before)


def part_size(recipe: Recipe, accelerator: Accelerator) -> int:
    """Photographs that a process takes at a time."""
    return recipe.batch_size // (accelerator.num_processes * recipe.accumulate)


def _check(recipe: Recipe, accelerator: Accelerator) -> None:
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if "LOCAL_RANK" in os.environ and started > accelerator.num_processes:
        raise UsageError(
            f"{started} processes were started, but accelerate found no accelerator that connects them, and each would "
            "train alone: set ACCELERATE_USE_CPU=true to train on CPUs"
        )
    parts = accelerator.num_processes * recipe.accumulate
    if recipe.batch_size % parts:
        raise UsageError(
            f"batch_size {recipe.batch_size} can't be shared by {accelerator.num_processes} processes "
            f"in {recipe.accumulate} parts each (accumulate): make it a multiple of {parts}"
        )
    if accelerator.distributed_type is DistributedType.DEEPSPEED and accelerator.deepspeed_plugin.zero_stage == 3:
        raise UsageError("DeepSpeed's ZeRO stage 3 can't hold this model: take FSDP, which shards weights, or stage 2")
    if accelerator.distributed_type in SHARDED and recipe.ema is not None:
        raise UsageError("ema needs all weights in each process: leave it out with FSDP and DeepSpeed")
    if accelerator.distributed_type is DistributedType.DEEPSPEED:
        # It asks a data loader for this, and is given none.
        config = accelerator.state.deepspeed_plugin.deepspeed_config
        config["train_micro_batch_size_per_gpu"] = part_size(recipe, accelerator)
