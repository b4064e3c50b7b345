"""`mglmm train`: recipe in, model folder out; a killed run continues where its last checkpoint was written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from itertools import islice
from pathlib import Path

from accelerate import Accelerator

from engine.atomic import require_folder
from engine.errors import MglmmError, UsageError
from trainer.learning.batches import Batch
from trainer.learning.optimizer_step import NotFinite, Stepper
from trainer.learning.sampling import batches
from trainer.recipe import Recipe, read_recipe
from trainer.run.checkpoints import BEST, MODEL, Checkpoints
from trainer.run.parallel import part_size, processes
from trainer.run.prepared import Prepared, prepare
from trainer.run.progress import Progress
from trainer.run.validation import Validation


def train(recipe_path: Path, out: Path, *, resume: bool = False) -> Path:
    """Train by a recipe; returns the model's folder, `out/model`.

    Args:
        recipe_path: YAML, see `trainer.recipe`.
        out: holds checkpoints, the log and the models. If it holds a checkpoint of the same recipe, training continues
            from it.
        resume: don't begin: there must be a checkpoint.

    Raises:
        UsageError: if the recipe, its data or its packages are not usable, or `out` is another recipe's or has no
            checkpoint to resume.
        MglmmError: if the loss is no longer finite; the last checkpoint stays.
    """
    recipe = read_recipe(recipe_path)
    if resume and not out.is_dir():
        raise UsageError(f"{out}: no such folder, so there is no run to resume; leave out --resume to begin")
    require_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    with processes(recipe) as accelerator:
        prepared = prepare(recipe, out, accelerator)
        run = prepared.run
        checkpoints = Checkpoints(out, recipe, prepared.start, accelerator)
        checkpoints.resume(run, required=resume)
        try:
            _optimise(prepared, recipe, checkpoints, accelerator, out)
        except NotFinite as error:
            kept = f"{checkpoints.path} continues before it" if checkpoints.path.exists() else "nothing was stored yet"
            raise MglmmError(f"{error}; {kept}") from error
        with run.average.in_place() if run.average else nullcontext():
            return checkpoints.write_model(MODEL, run)


def _optimise(
    prepared: Prepared, recipe: Recipe, checkpoints: Checkpoints, accelerator: Accelerator, out: Path
) -> None:
    run, tokenizer = prepared.run, prepared.start.tokenizer
    stepper = Stepper(accelerator, run.module, run.optimizer, recipe)
    validation = None
    if recipe.validation:
        held_out = prepared.examples.held_out(run.model.config, prepared.room)
        validation = Validation(recipe, recipe.validation, held_out, prepared.writer, tokenizer, accelerator)
    stream = _stream(prepared, recipe, accelerator)
    with Progress(out, recipe.steps, run.step, speaks=accelerator.is_main_process) as progress:
        for remark in prepared.mixture.remarks:
            progress.note(remark)
        while run.step < recipe.steps:
            parts = list(islice(stream, recipe.accumulate))
            progress.left_out(name for part in parts for name in part.left_out)
            losses = stepper.step(run.step, parts)
            run.step += 1
            if run.average:
                run.average.update(run.step)
            progress.step(run.step, losses, run.optimizer.param_groups[0]["lr"])
            last = run.step == recipe.steps
            if validation and recipe.validation and (run.step % recipe.validation.every == 0 or last):
                with run.average.in_place() if run.average else nullcontext():
                    found = validation.measure(run)
                    score = found.score(recipe.validation.best_by)
                    is_best = run.best is None or score > run.best
                    progress.validated(run.step, found.numbers(), is_best)
                    validation.write_answers(run, out)
                    if is_best:
                        run.best = score
                        checkpoints.write_model(BEST, run)
            if run.step % recipe.save_every == 0 or last:
                checkpoints.save(run)


def _stream(prepared: Prepared, recipe: Recipe, accelerator: Accelerator) -> Iterator[Batch]:
    """This process's parts of the steps that are left.

    Raises:
        UsageError: if a photograph or record can't be used; names it.
    """
    stream = batches(
        prepared.mixture,
        prepared.writer,
        pad=prepared.start.tokenizer.pad,
        batch_size=part_size(recipe, accelerator),
        first=prepared.run.step * recipe.accumulate,
        last=recipe.steps * recipe.accumulate,
        workers=recipe.workers,
        rank=accelerator.process_index,
        ranks=accelerator.num_processes,
        accumulate=recipe.accumulate,
    )
    try:
        yield from stream
    except UsageError as error:
        # A loader process sends the whole traceback as the message; what is wrong stands in its last line.
        _, _, message = str(error).strip().rpartition(f"{UsageError.__name__}: ")
        raise UsageError(message) from error
