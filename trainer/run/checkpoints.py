"""Checkpoints: what a run needs to go on, and the models that it leaves.

    OUT/state.pt    what was learned, the average, the optimiser
    OUT/state/      the same where weights are sharded, as accelerate writes it
    OUT/best/       the model of the best validation so far
    OUT/model/      the model at the end

Frozen weights are not in the state: they are read again from where the run began.
"""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from accelerate import Accelerator
from torch import nn

from engine.atomic import discard_leftovers, replacing
from engine.errors import UsageError
from engine.memory import out_of_memory
from engine.model.checkpoint import save as save_model
from engine.model.mglmm import MGLMM
from trainer.data.terms import terms_of
from trainer.learning.ema import Average, learned, put_back
from trainer.learning.forward import TrainStep
from trainer.recipe import Recipe
from trainer.run.durable import recover, replace_folder
from trainer.run.parallel import SHARDED
from trainer.run.start import Start

STATE, SHARDED_STATE, BEST, MODEL = "state.pt", "state", "best", "model"
_FACTS = "facts.pt"
_FACTS_OF_ALL = {"recipe", "start", "step", "best"}
_WITHOUT_PART = ("workers", "save_every")
"""Keys of a recipe that change nothing in the weights."""


@dataclass
class Run:
    """Everything that changes while training.

    Attributes:
        plain: the module as it was before it was shared among processes.
        module: the module as it is trained.
        optimizer: of the module.
        average: of the model's weights, or None.
        step: steps done.
        best: the best validation so far, higher is better; None before the first.
    """

    plain: TrainStep
    module: nn.Module
    optimizer: torch.optim.Optimizer
    average: Average | None
    step: int = 0
    best: float | None = None

    @property
    def model(self) -> MGLMM:
        """The network."""
        return self.plain.model


class Checkpoints:
    """Writes and reads what a run leaves in its folder.

    Args:
        out: the folder.
        recipe: of the run.
        start: what it begins with.
        accelerator: knows the processes.
    """

    def __init__(self, out: Path, recipe: Recipe, start: Start, accelerator: Accelerator) -> None:
        self._out, self._tokenizer, self._accelerator = out, start.tokenizer, accelerator
        self._recipe, self._start = recipe.model_dump_json(), start.identity
        self._terms = {**start.terms, **terms_of(recipe.sets)}
        self._sharded = accelerator.distributed_type in SHARDED
        self.path = out / (SHARDED_STATE if self._sharded else STATE)

    def save(self, run: Run) -> None:
        """Write the state; until it is on disk, the one before stays."""
        facts = {"recipe": self._recipe, "start": self._start, "step": run.step, "best": run.best}
        if self._sharded:
            self._save_sharded(facts, run)
        elif self._accelerator.is_main_process:
            state = facts | {
                "model": learned(run.model),
                "head": run.plain.head.state_dict(),
                "average": run.average.tensors if run.average else None,
                "optimizer": run.optimizer.state_dict(),
            }
            with replacing(self.path) as file:
                _write(state, file)
        self._accelerator.wait_for_everyone()

    def resume(self, run: Run, *, required: bool) -> None:
        """Go on where the state was written, if there is one.

        Args:
            run: just begun; becomes what was stored.
            required: there must be one.

        Raises:
            UsageError: if it is of another recipe, the run began with other weights, or there is none that must be.
        """
        if self._accelerator.is_main_process:
            for folder in (SHARDED_STATE, BEST, MODEL):
                recover(self._out / folder)
            discard_leftovers(self._out)
        self._accelerator.wait_for_everyone()
        if not self.path.exists():
            if required:
                raise UsageError(f"{self._out}: holds no checkpoint ({self.path.name}); leave out --resume to begin")
            return
        facts = self.path / _FACTS if self._sharded else self.path
        state = _read(facts)
        self._check_recipe(state["recipe"])
        if state["start"] != self._start:
            raise UsageError(f"{self._out}: what the run began with has changed since (start in the recipe)")
        with _reading(facts):
            if self._sharded:
                self._accelerator.load_state(str(self.path))
            else:
                put_back(run.model, state["model"])
                run.plain.head.load_state_dict(state["head"])
                run.optimizer.load_state_dict(state["optimizer"])
                if run.average:
                    for name, tensor in state["average"].items():
                        run.average.tensors[name].copy_(tensor)
        run.step, run.best = state["step"], state["best"]
        if self._accelerator.is_main_process:
            print(f"continuing behind step {run.step}", file=sys.stderr)

    def _check_recipe(self, stored: str) -> None:
        """Raises UsageError where anything differs that has a part in the weights."""
        before, now = json.loads(stored), json.loads(self._recipe)
        other = [key for key in now if before.get(key) != now[key] and key not in _WITHOUT_PART]
        if other or before.keys() != now.keys():
            named = "; ".join(f"{key} was {_short(before.get(key))}, is {_short(now[key])}" for key in other)
            raise UsageError(
                f"{self._out}: holds a checkpoint of another recipe ({named or 'of another version'}); give another "
                f"--out, or remove {self.path}"
            )

    def write_model(self, name: str, run: Run) -> Path:
        """Write the model's folder; until it is whole, the one before stays."""
        folder = self._out / name
        state = None
        if self._sharded:
            whole = self._accelerator.get_state_dict(run.module)
            state = {key.removeprefix("model."): value for key, value in whole.items() if key.startswith("model.")}
        if self._accelerator.is_main_process:
            replace_folder(
                folder, lambda part: save_model(part, run.model, self._tokenizer, state=state, terms=self._terms)
            )
        self._accelerator.wait_for_everyone()
        return folder

    def _save_sharded(self, facts: dict[str, Any], run: Run) -> None:
        if self._accelerator.is_fsdp2:
            _begin_moments(run.optimizer)
        # Every process writes into the same folder, which becomes the state when all have.
        part = self._out / f".{SHARDED_STATE}.new"
        self._accelerator.save_state(str(part))
        self._accelerator.wait_for_everyone()
        if self._accelerator.is_main_process:
            torch.save(facts, part / _FACTS)
            replace_folder(self.path, lambda folder: _move(part, folder))


def _write(state: dict[str, Any], file: BinaryIO) -> None:
    try:
        torch.save(state, file)
    except RuntimeError as error:
        # Of a full disk it says that positions differ.
        raise error.__context__ if isinstance(error.__context__, OSError) else error from None


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """What goes wrong inside is the file's fault.

    Raises:
        UsageError: for all that a damaged file makes of reading it.
    """
    try:
        yield
    except (
        pickle.UnpicklingError,
        EOFError,
        RuntimeError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
    ) as error:
        if out_of_memory(error):
            raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise UsageError(f"{path}: damaged, so the run can't go on ({reason}); remove it to begin anew") from error


def _read(path: Path) -> dict[str, Any]:
    with _reading(path):
        state = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state, dict) or not _FACTS_OF_ALL <= state.keys():
            raise ValueError("it is no checkpoint")
        return state


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _move(source: Path, target: Path) -> None:
    for entry in source.iterdir():
        entry.rename(target / entry.name)
    source.rmdir()


def _begin_moments(optimizer: torch.optim.Optimizer) -> None:
    """Give weights that had no gradient yet the moments that AdamW begins with: FSDP2 reads those of all weights."""
    for group in optimizer.param_groups:
        for weight in group["params"]:
            if not optimizer.state[weight]:
                optimizer.state[weight] |= {
                    "step": torch.tensor(0.0),
                    "exp_avg": torch.zeros_like(weight),
                    "exp_avg_sq": torch.zeros_like(weight),
                }
