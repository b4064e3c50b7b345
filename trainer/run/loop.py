"""`mglmm train`: recipe in, model folder out; a killed run continues where its last checkpoint was written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from engine.atomic import require_folder
from engine.decoding.sequence import PromptWriter
from engine.errors import MglmmError, UsageError
from engine.model.mglmm import MGLMM
from engine.model.pixel_encoder import Pyramid
from trainer.data.mixture import Mixture
from trainer.learning import attention
from trainer.learning.backbone import keep_depthwise_float32
from trainer.learning.batches import Batch, ExampleWriter
from trainer.learning.ema import Average
from trainer.learning.examples import Examples, open_examples
from trainer.learning.forward import TrainStep
from trainer.learning.optimizer_step import NotFinite, Stepper
from trainer.learning.parts import choose, set_modes
from trainer.learning.sampling import batches
from trainer.learning.semantic_head import SemanticHead
from trainer.learning.targets import TARGETS
from trainer.recipe import Recipe, read_recipe
from trainer.run.checkpoints import BEST, MODEL, Checkpoints, Run
from trainer.run.parallel import SHARDED, part_size, processes
from trainer.run.progress import Progress
from trainer.run.start import Start, begin
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
        torch.manual_seed(recipe.seed)
        examples = open_examples(recipe)
        start = begin(recipe, out)
        run = share(start, recipe, examples, accelerator)
        checkpoints = Checkpoints(out, recipe, start, accelerator)
        checkpoints.resume(run, required=resume)
        try:
            _optimise(run, recipe, examples, start, checkpoints, accelerator, out)
        except NotFinite as error:
            kept = f"{checkpoints.path} continues before it" if checkpoints.path.exists() else "nothing was stored yet"
            raise MglmmError(f"{error}; {kept}") from error
        with run.average.in_place() if run.average else nullcontext():
            return checkpoints.write_model(MODEL, run)


def share(start: Start, recipe: Recipe, examples: Examples, accelerator: Accelerator) -> Run:
    """Choose what learns, and make it known to all processes."""
    model = start.model
    choose(model, recipe)
    device = accelerator.device
    if recipe.bf16 and device.type == "cpu" and isinstance(model.pixel_encoder, Pyramid):
        keep_depthwise_float32(model.pixel_encoder.backbone)
    if recipe.gradient_checkpointing:
        model.language_model.activation_checkpointing_enable({"use_reentrant": False})
    if device.type == "cpu":
        model.language_model.set_attn_implementation(attention.NAME)
    model.to(device)
    if accelerator.distributed_type not in SHARDED:  # FSDP wants weights in the order of their dimensions
        model.pixel_encoder.to(memory_format=torch.channels_last)
    head = SemanticHead(model.config.pixel_encoder.out_channels, examples.classes).to(device)
    head.requires_grad_(recipe.loss.semantic > 0)
    prefix = PromptWriter(model.config, start.tokenizer).prefix
    plain = TrainStep(model, head, prefix, recipe.loss)
    module, optimizer = accelerator.prepare(plain, _optimizer(model, head, recipe))
    set_modes(model)
    average = None if recipe.ema is None else Average(model, recipe.ema)
    return Run(plain, module, optimizer, average)


def positions(model: MGLMM) -> int:
    """How many tokens the language model was made to read."""
    return int(model.language_model.config.max_position_embeddings)


def _optimizer(model: MGLMM, head: SemanticHead, recipe: Recipe) -> torch.optim.Optimizer:
    chosen = recipe.optimizer
    backbone: list[torch.nn.Parameter] = []
    if chosen.backbone_lr is not None and isinstance(model.pixel_encoder, Pyramid):
        backbone = [p for p in model.pixel_encoder.backbone.parameters() if p.requires_grad]
    ids = {id(p) for p in backbone}
    rest = [p for m in (model, head) for p in m.parameters() if p.requires_grad and id(p) not in ids]
    groups: list[dict[str, Any]] = [
        {"params": rest, "peak_lr": chosen.lr},
        {"params": backbone, "peak_lr": chosen.backbone_lr},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], betas=chosen.betas, weight_decay=chosen.weight_decay
    )


def _optimise(
    run: Run,
    recipe: Recipe,
    examples: Examples,
    start: Start,
    checkpoints: Checkpoints,
    accelerator: Accelerator,
    out: Path,
) -> None:
    config = run.model.config
    writer = ExampleWriter(config, start.tokenizer, recipe.text_tokens, TARGETS[recipe.loss.mask_frame])
    room = writer.room(positions(run.model))
    mixture = examples.mixture(config, room)
    stepper = Stepper(accelerator, run.module, run.optimizer, recipe)
    validation = None
    if recipe.validation:
        held_out = examples.held_out(config, room)
        validation = Validation(recipe, recipe.validation, held_out, writer, start.tokenizer, accelerator)
    stream = _stream(run, recipe, mixture, writer, start.tokenizer.pad, accelerator)
    with Progress(out, recipe.steps, run.step, speaks=accelerator.is_main_process) as progress:
        for remark in mixture.remarks:
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


def _stream(
    run: Run, recipe: Recipe, mixture: Mixture, writer: ExampleWriter, pad: int, accelerator: Accelerator
) -> Iterator[Batch]:
    """This process's parts of the steps that are left.

    Raises:
        UsageError: if a photograph or record can't be used; names it.
    """
    stream = batches(
        mixture,
        writer,
        pad=pad,
        batch_size=part_size(recipe, accelerator),
        first=run.step * recipe.accumulate,
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
