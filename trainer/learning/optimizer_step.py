"""One optimiser step over all processes, and over the parts into which each cuts its share of the batch."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType, gather_object
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from engine.errors import MglmmError
from trainer.learning.batches import Batch
from trainer.learning.forward import Weights
from trainer.recipe import Recipe

_SEEDS = 1_000_003
"""Apart in the seeds of two runs."""


class NotFinite(MglmmError):
    """A loss or gradient that training can't go on from."""


class Stepper:
    """Makes steps.

    Args:
        accelerator: knows the processes.
        module: a `TrainStep` that it has prepared.
        optimizer: of the module; each group has a `peak_lr`.
        recipe: of the run.
    """

    def __init__(
        self, accelerator: Accelerator, module: nn.Module, optimizer: torch.optim.Optimizer, recipe: Recipe
    ) -> None:
        self._accelerator, self._module, self._optimizer, self._recipe = accelerator, module, optimizer, recipe
        self._parts = accelerator.num_processes * recipe.accumulate

    def step(self, number: int, parts: Sequence[Batch]) -> dict[str, float]:
        """Make step `number`.

        Args:
            number: from 0.
            parts: this process's share of the batch.

        Returns:
            the losses over the whole batch, by name.

        Raises:
            NotFinite: if the loss or the gradient is not finite; the weights are left as they were.
        """
        accelerator = self._accelerator
        chosen = self._choose(number, parts)
        weights = self._weigh(parts, chosen)
        for group in self._optimizer.param_groups:
            group["lr"] = group["peak_lr"] * rate(number, self._recipe)
        self._optimizer.zero_grad(set_to_none=True)
        found: list[dict[str, Tensor]] = []
        for place, (part, masks, weight) in enumerate(zip(parts, chosen, weights, strict=True)):
            # Dropout draws from the global generator.
            torch.manual_seed(self._seed(number, place))
            with accelerator.accumulate(self._module):
                losses = self._module(part.to(accelerator.device), masks.to(accelerator.device), weight)
                accelerator.backward(losses["total"])
            found.append({name: loss.detach() for name, loss in losses.items()})
        self._check(number, "loss", torch.stack([losses["total"] for losses in found]), parts)
        norm = accelerator.clip_grad_norm_(self._parameters(), self._recipe.optimizer.clip)
        if norm is not None:
            whole = norm.full_tensor() if isinstance(norm, DTensor) else norm  # FSDP2 keeps its shards apart
            self._check(number, "gradient", torch.as_tensor(whole, device=accelerator.device).reshape(1), parts)
        self._optimizer.step()
        return self._mean(found)

    def _choose(self, number: int, parts: Sequence[Batch]) -> list[Tensor]:
        """Which masks of each part are decoded: drawn among those of the whole step, however it is cut."""
        accelerator, accumulate = self._accelerator, self._recipe.accumulate
        own = torch.tensor([len(part.targets) for part in parts], device=accelerator.device)
        # (processes, parts) to the order in which a step is cut: the first part of each process comes first.
        counts = accelerator.gather(own).reshape(-1, accumulate).T.flatten().tolist()
        ends = list(itertools.accumulate(counts))
        draw = torch.Generator().manual_seed(self._recipe.seed * _SEEDS + number)
        drawn = torch.randperm(sum(counts), generator=draw)[: self._recipe.masks_per_step]
        chosen = []
        for place in range(accumulate):
            piece = place * accelerator.num_processes + accelerator.process_index
            first = ends[piece] - counts[piece]
            chosen.append(drawn[(drawn >= first) & (drawn < ends[piece])] - first)
        return chosen

    def _seed(self, number: int, place: int) -> int:
        """Another for each part of each step of the run."""
        part = self._accelerator.process_index * self._recipe.accumulate + place
        return self._recipe.seed * _SEEDS + number * self._parts + part

    def _weigh(self, parts: Sequence[Batch], chosen: Sequence[Tensor]) -> list[Weights]:
        counts = [
            (len(part.label_ids), len(masks), len(part.kinds), len(part.used_ids))
            for part, masks in zip(parts, chosen, strict=True)
        ]
        own = torch.tensor(counts, dtype=torch.float64 if self._accelerator.device.type == "cpu" else torch.float32)
        whole = self._accelerator.reduce(own.sum(dim=0).to(self._accelerator.device), "sum").tolist()
        return [
            Weights(*(count * self._parts / total if total else 1.0 for count, total in zip(row, whole, strict=True)))
            for row in counts
        ]

    def _parameters(self) -> list[nn.Parameter]:
        if self._accelerator.distributed_type is DistributedType.FSDP:
            return list(self._module.parameters())  # it has a norm of its own for the whole module
        return [parameter for group in self._optimizer.param_groups for parameter in group["params"]]

    def _check(self, number: int, what: str, values: Tensor, parts: Sequence[Batch]) -> None:
        wrong = [part for part, value in zip(parts, values.tolist(), strict=False) if not math.isfinite(value)]
        worst = self._accelerator.reduce(values.sum(), "sum").item()
        if math.isfinite(worst):
            return
        names = gather_object([name for part in wrong for name in part.names])
        raise NotFinite(f"the {what} is {worst} at step {number}, where the batch was {', '.join(names)}")

    def _mean(self, found: Sequence[dict[str, Tensor]]) -> dict[str, float]:
        own = torch.stack([torch.stack([loss.float() for loss in losses.values()]) for losses in found]).mean(dim=0)
        whole = self._accelerator.reduce(own, "mean").tolist()
        return {name: round(value, 5) for name, value in zip(found[0], whole, strict=True)}


def rate(step: int, recipe: Recipe) -> float:
    """Linear warm-up, then linear decay to a tenth."""
    warmup = recipe.optimizer.warmup
    if step < warmup:
        return (step + 1) / warmup
    left = (recipe.steps - step) / max(1, recipe.steps - warmup)
    return 0.1 + 0.9 * max(0.0, left)
