"""`mglmm train`: recipe in, model folder out; a killed run continues where its last checkpoint was written."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from engine.errors import MglmmError, UsageError
from engine.model.checkpoint import save
from engine.model.mglmm import MGLMM
from engine.model.pixel_encoder import Pyramid, freeze_batch_norm
from engine.model.presets import PRESETS
from engine.model.tokenizers import BpeTokenizer, TextTokenizer
from engine.sequence import PromptWriter
from trainer.auxiliary import SemanticHead
from trainer.backbone import freeze_stages, keep_depthwise_float32, load_backbone
from trainer.batches import ExampleWriter
from trainer.data.corpus import corpus
from trainer.data.folders import Folder, training_folders
from trainer.recipe import Recipe, read_recipe
from trainer.sampling import batches
from trainer.step import forward
from trainer.targets import TARGETS

STATE, LOG, MODEL = "state.pt", "log.jsonl", "model"


@dataclass
class _Run:
    """Everything that changes while training."""

    model: MGLMM
    head: SemanticHead
    average: dict[str, Tensor]
    optimizer: torch.optim.Optimizer
    step: int


def train(recipe_path: Path, out: Path) -> Path:
    """Train by a recipe; returns the model's folder, `out/model`.

    Args:
        recipe_path: YAML, see `trainer.recipe`.
        out: holds the checkpoint, the log and the model. If it holds a checkpoint of the same recipe, training
            continues from it.

    Raises:
        UsageError: if the recipe, its data or its packages are not usable, or `out` is another recipe's.
        MglmmError: if the loss is no longer finite; the last checkpoint stays.
    """
    recipe = read_recipe(recipe_path)
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    folders: dict[str, Folder] = {folder.kind: folder for folder in training_folders(recipe.data)}
    tokenizer = _tokenizer(recipe, out)
    run = _start(recipe, folders, device)
    _resume(run, recipe, out, device)
    with _repeatable(device):
        _optimise(run, recipe, folders, tokenizer, out, device)
    run.model.load_state_dict(run.average)
    save(out / MODEL, run.model, tokenizer)
    return out / MODEL


@contextmanager
def _repeatable(device: torch.device) -> Iterator[None]:
    """On a CPU, gradients of an index are otherwise added up in whatever order the threads come."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(before or device.type == "cpu")
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def _tokenizer(recipe: Recipe, out: Path) -> TextTokenizer:
    if not (out / "tokenizer.json").is_file():
        print(f"training a tokenizer on {recipe.tokenizer.scenes} photographs' texts", file=sys.stderr)
        texts = corpus(recipe.data, scenes=recipe.tokenizer.scenes, seed=recipe.seed)
        BpeTokenizer.train(texts, recipe.tokenizer.vocabulary).save(out)
    tokenizer = BpeTokenizer.load(out)
    size = PRESETS[recipe.model].language.options["vocab_size"]
    if tokenizer.size > size:
        raise UsageError(f"{out}: the tokenizer has {tokenizer.size} tokens, the model {size}")
    return tokenizer


def _start(recipe: Recipe, folders: dict[str, Folder], device: torch.device) -> _Run:
    model = MGLMM(PRESETS[recipe.model])
    backbone: list[nn.Parameter] = []
    if recipe.backbone is not None:
        if not isinstance(model.pixel_encoder, Pyramid):
            raise UsageError(f"model {recipe.model!r} has no backbone to start from a package")
        load_backbone(model.pixel_encoder.backbone, recipe.backbone)
        freeze_stages(model.pixel_encoder.backbone, recipe.backbone.frozen_stages)
        if recipe.bf16 and device.type == "cpu":
            keep_depthwise_float32(model.pixel_encoder.backbone)
        backbone = [p for p in model.pixel_encoder.backbone.parameters() if p.requires_grad]
    model.to(device).pixel_encoder.to(memory_format=torch.channels_last)
    classes = {name: len(folder.classes) for name, folder in folders.items() if folder.classes}
    head = SemanticHead(model.config.pixel_encoder.out_channels, classes).to(device)
    ids = {id(p) for p in backbone}
    rest = [p for m in (model, head) for p in m.parameters() if p.requires_grad and id(p) not in ids]
    optimizer = torch.optim.AdamW(
        [
            {"params": rest, "peak_lr": recipe.optimizer.lr},
            {"params": backbone, "peak_lr": recipe.optimizer.backbone_lr},
        ],
        betas=recipe.optimizer.betas,
        weight_decay=recipe.optimizer.weight_decay,
    )
    average = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    return _Run(model, head, average, optimizer, step=0)


def _optimise(
    run: _Run,
    recipe: Recipe,
    folders: dict[str, Folder],
    tokenizer: TextTokenizer,
    out: Path,
    device: torch.device,
) -> None:
    config = run.model.config
    writer = ExampleWriter(config, tokenizer, recipe.text_tokens, TARGETS[recipe.loss.mask_frame])
    prefix = PromptWriter(config, tokenizer).prefix
    run.model.train()
    freeze_batch_norm(run.model)
    stream = batches(
        folders,
        recipe.sets,
        writer,
        size=config.pixel_encoder.image_size,
        seed=recipe.seed,
        pad=tokenizer.pad,
        batch_size=recipe.batch_size,
        first=run.step,
        last=recipe.steps,
        workers=recipe.workers,
    )
    began = time.monotonic()
    bar = tqdm(stream, total=recipe.steps, initial=run.step, unit="step", file=sys.stderr, mininterval=5)
    for batch in bar:
        batch = batch.to(device)
        draw = torch.Generator().manual_seed(recipe.seed * 1_000_003 + run.step)
        masks = torch.randperm(len(batch.targets), generator=draw)[: recipe.masks_per_step]
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=recipe.bf16):
            losses = forward(run.model, run.head, prefix, batch, recipe.loss, masks.to(device))
        total = float(losses.total.detach())
        if not math.isfinite(total):
            raise MglmmError(f"the loss is {total} at step {run.step}; {out / STATE} continues before it")
        run.optimizer.zero_grad(set_to_none=True)
        losses.total.backward()
        nn.utils.clip_grad_norm_([p for g in run.optimizer.param_groups for p in g["params"]], recipe.optimizer.clip)
        for group in run.optimizer.param_groups:
            group["lr"] = group["peak_lr"] * _rate(run.step, recipe)
        run.optimizer.step()
        run.step += 1
        _update_average(run, recipe.ema)
        if run.step % 10 == 0:
            entry = {"step": run.step, "seconds": round(time.monotonic() - began, 1), **losses.numbers()}
            with (out / LOG).open("a", encoding="utf-8") as log:
                log.write(json.dumps(entry) + "\n")
            bar.set_postfix({k: f"{v:.3f}" for k, v in losses.numbers().items()}, refresh=False)
        if run.step % recipe.save_every == 0 or run.step == recipe.steps:
            _save_state(run, recipe, out)


def _rate(step: int, recipe: Recipe) -> float:
    """Linear warm-up, then linear decay to a tenth."""
    warmup = recipe.optimizer.warmup
    if step < warmup:
        return (step + 1) / warmup
    left = (recipe.steps - step) / max(1, recipe.steps - warmup)
    return 0.1 + 0.9 * max(0.0, left)


@torch.no_grad()
def _update_average(run: _Run, decay: float) -> None:
    # The average would remember the random start for long; it follows fast at first.
    decay = min(decay, (1 + run.step) / (10 + run.step))
    for name, tensor in run.model.state_dict().items():
        if tensor.is_floating_point():
            run.average[name].lerp_(tensor, 1 - decay)


def _save_state(run: _Run, recipe: Recipe, out: Path) -> None:
    state = {
        "recipe": recipe.model_dump_json(),
        "step": run.step,
        "model": run.model.state_dict(),
        "head": run.head.state_dict(),
        "average": run.average,
        "optimizer": run.optimizer.state_dict(),
    }
    temporary = out / (STATE + ".part")
    torch.save(state, temporary)
    os.replace(temporary, out / STATE)


def _resume(run: _Run, recipe: Recipe, out: Path, device: torch.device) -> None:
    if not (out / STATE).is_file():
        return
    state: dict[str, Any] = torch.load(out / STATE, map_location=device, weights_only=True)
    if state["recipe"] != recipe.model_dump_json():
        raise UsageError(f"{out}: holds a checkpoint of another recipe; give another --out, or remove {out / STATE}")
    run.step = state["step"]
    run.model.load_state_dict(state["model"])
    run.head.load_state_dict(state["head"])
    run.average = state["average"]
    run.optimizer.load_state_dict(state["optimizer"])
    print(f"continuing at step {run.step} of {recipe.steps}", file=sys.stderr)
