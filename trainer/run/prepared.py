"""What a run needs before its first step: its examples, its beginning, and what learns, known to all processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from engine.decoding.sequence import PromptWriter
from engine.model.mglmm import MGLMM
from engine.model.pixel_encoder import Pyramid
from trainer.data.mixture import Mixture
from trainer.data.source import Room
from trainer.learning import attention
from trainer.learning.backbone import keep_depthwise_float32
from trainer.learning.batches import ExampleWriter
from trainer.learning.ema import Average
from trainer.learning.examples import Examples, open_examples
from trainer.learning.forward import TrainStep
from trainer.learning.parts import choose, set_modes
from trainer.learning.semantic_head import SemanticHead
from trainer.learning.targets import TARGETS
from trainer.recipe import Recipe
from trainer.run.checkpoints import Run
from trainer.run.parallel import SHARDED
from trainer.run.start import Start, begin


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run that has made no step.

    Attributes:
        start: what it begins with.
        run: what changes.
        examples: what it may draw from.
        writer: makes examples tensors.
        room: what the model can read of a conversation.
        mixture: draws the examples that it is trained on.
    """

    start: Start
    run: Run
    examples: Examples
    writer: ExampleWriter
    room: Room
    mixture: Mixture


def prepare(recipe: Recipe, folder: Path, accelerator: Accelerator) -> Prepared:
    """Open the data, make the model, and share both among the processes.

    Args:
        recipe: of the run.
        folder: a tokenizer that is trained for a preset is kept there.
        accelerator: knows the processes.

    Raises:
        UsageError: if the recipe's data, files or packages are not usable.
    """
    torch.manual_seed(recipe.seed)
    examples = open_examples(recipe)
    start = begin(recipe, folder)
    run = _share(start, recipe, examples, accelerator)
    writer = ExampleWriter(run.model.config, start.tokenizer, recipe.text_tokens, TARGETS[recipe.loss.mask_frame])
    room = writer.room(int(run.model.language_model.config.max_position_embeddings))
    return Prepared(start, run, examples, writer, room, examples.mixture(run.model.config, room))


def _share(start: Start, recipe: Recipe, examples: Examples, accelerator: Accelerator) -> Run:
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
