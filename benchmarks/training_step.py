"""Where the time of a training step goes, on the CPU or the GPU that training would use.

    python -m benchmarks.training_step trainer/recipes/nano-grown.yaml --steps 8

prints seconds a step for the parts of the forward pass, the backward pass, the optimiser and the making of batches, and
photographs per second. Batches are made before the clock starts, and made again in as many steps as there are.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trainer.learning.batches import Batch
from trainer.learning.optimizer_step import Stepper
from trainer.learning.sampling import batches
from trainer.recipe import Recipe, read_recipe
from trainer.run.checkpoints import Run
from trainer.run.parallel import part_size, processes
from trainer.run.prepared import prepare

PARTS = {
    "backbone": "pixel_encoder.backbone",
    "kept classifier": "pixel_encoder.classifier",
    "pixel encoder, all": "pixel_encoder",
    "language model": "language_model.model",
    "mask decoder": "mask_head",
}


class Clock:
    """Seconds by name, one value a step."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.seconds: dict[str, list[float]] = defaultdict(list)

    def now(self) -> float:
        """Once the device is done."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Note what happens inside."""
        start = self.now()
        yield
        self.seconds[name].append(self.now() - start)

    def watch(self, name: str, module: nn.Module) -> None:
        """Note every forward pass of a module."""
        started: list[float] = []
        module.register_forward_pre_hook(lambda *_: started.append(self.now()))
        module.register_forward_hook(lambda *_: self.seconds[name].append(self.now() - started.pop()))

    def wrap(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, every call of it noted."""

        def measured(*args: Any, **kwargs: Any) -> Any:
            with self.measure(name):
                return function(*args, **kwargs)

        return measured


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--steps", type=int, default=8)
    options = parser.parse_args()
    print(json.dumps(measure(read_recipe(options.recipe), options.steps), indent=2))


def measure(recipe: Recipe, steps: int) -> dict[str, Any]:
    """Make steps of a recipe; the median over the steps behind the first.

    Args:
        recipe: of the run.
        steps: how many, two or more.
    """
    with processes(recipe) as accelerator, tempfile.TemporaryDirectory() as folder:
        prepared = prepare(recipe, Path(folder), accelerator)
        clock = Clock(accelerator.device)
        with clock.measure("making a batch"):
            made = list(
                batches(
                    prepared.mixture,
                    prepared.writer,
                    pad=prepared.start.tokenizer.pad,
                    batch_size=part_size(recipe, accelerator),
                    first=0,
                    last=steps * recipe.accumulate,
                    workers=0,
                    accumulate=recipe.accumulate,
                )
            )
        run = prepared.run
        _watch(clock, run, accelerator)
        stepper = Stepper(accelerator, run.module, run.optimizer, recipe)
        for number in range(steps):
            with clock.measure("step"):
                stepper.step(number, made[number * recipe.accumulate : (number + 1) * recipe.accumulate])
        return _report(clock, recipe, steps, made, prepared.writer.prefix_length)


def _watch(clock: Clock, run: Run, accelerator: Any) -> None:
    for name, path in PARTS.items():
        module: Any = run.model
        for part in path.split("."):
            module = getattr(module, part, None)
        if module is not None:
            clock.watch(name, module)
    accelerator.backward = clock.wrap("backward", accelerator.backward)
    run.optimizer.step = clock.wrap("optimiser", run.optimizer.step)  # type: ignore[method-assign]


def _report(clock: Clock, recipe: Recipe, steps: int, made: list[Batch], prefix: int) -> dict[str, Any]:
    making = clock.seconds.pop("making a batch")[0] / steps
    seconds = {name: round(_a_step(values, steps), 3) for name, values in clock.seconds.items()}
    return {
        "seconds a step": seconds | {"making a batch": round(making, 3)},
        "photographs a second": round(recipe.batch_size / seconds["step"], 2),
        "tokens a row": round(statistics.mean(prefix + batch.ids.shape[1] for batch in made)),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU",
    }


def _a_step(values: list[float], steps: int) -> float:
    """Seconds of a step, whose parts are measured one by one: the median over the steps behind the first."""
    parts = max(1, len(values) // steps)
    sums = [sum(values[start : start + parts]) for start in range(0, len(values), parts)]
    return statistics.median(sums[1:] or sums)


if __name__ == "__main__":
    main()
