"""A training recipe: one YAML file, validated before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from engine.errors import UsageError
from engine.model.presets import PRESETS

SetName = Literal["ccp", "camvid", "coco", "person", "captions"]
MaskFrame = Literal["low_res", "full"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TokenizerRecipe(_Section):
    """A tokenizer trained on the texts of `scenes` photographs."""

    vocabulary: PositiveInt
    scenes: PositiveInt


class BackboneRecipe(_Section):
    """Where the pixel encoder's backbone starts: a pip package with ImageNet weights; early stages stay frozen."""

    package: str
    file: str
    frozen_stages: int = Field(0, ge=0)


class OptimizerRecipe(_Section):
    """AdamW with linear warm-up and linear decay to a tenth."""

    lr: PositiveFloat
    backbone_lr: PositiveFloat
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.95)
    warmup: PositiveInt = 100
    clip: PositiveFloat = 1.0


class LossRecipe(_Section):
    """Weights of the losses; `semantic` and `align` are training aids that leave nothing in the model.

    Attributes:
        mask_frame: where predicted masks are compared with the true ones: in the decoder's own `low_res` frame, or
            in the `full` frame of the photograph, as the public models were trained.
    """

    text: float = 1.0
    bce: float = 2.0
    dice: float = 0.5
    semantic: float = 0.0
    align: float = 0.0
    mask_frame: MaskFrame = "low_res"

    @model_validator(mode="after")
    def _aids_fit(self) -> LossRecipe:
        if self.align and self.mask_frame != "low_res":
            raise ValueError("align needs mask_frame: low_res")
        return self


class Recipe(_Section):
    """Everything that a training run depends on.

    Attributes:
        model: name of a preset.
        data: root of the photographs (layout: docs/training.md), relative to the working directory.
        sets: how often each set is drawn, relative to the others.
        steps: optimiser steps of `batch_size` photographs.
        text_tokens: at most so many tokens of questions and answers per photograph; conversations that do not
            fit are left for another time.
        masks_per_step: at most so many masks are decoded in a step, drawn among those of the batch.
        ema: decay of the running average of the weights, which is what is stored.
        bf16: run matrix products in bfloat16.
        save_every: steps between resumable checkpoints.
    """

    model: str
    data: Path
    tokenizer: TokenizerRecipe
    backbone: BackboneRecipe | None = None
    sets: dict[SetName, PositiveFloat]
    steps: PositiveInt
    batch_size: PositiveInt
    text_tokens: PositiveInt = 320
    masks_per_step: PositiveInt = 48
    optimizer: OptimizerRecipe
    loss: LossRecipe = LossRecipe()
    ema: float = Field(0.998, ge=0, lt=1)
    bf16: bool = False
    seed: int = 0
    workers: int = Field(1, ge=0)
    save_every: PositiveInt = 200


def read_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        UsageError: naming the file and the key that is wrong.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such recipe")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        recipe = Recipe.model_validate(content)
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UsageError(f"{path}: {where}: {first['msg']}") from error
    if recipe.model not in PRESETS:
        raise UsageError(f"{path}: model: no preset {recipe.model!r}; known: {', '.join(PRESETS)}")
    if not recipe.data.is_dir():
        raise UsageError(f"{path}: data: no folder {recipe.data}; see docs/training.md for its layout")
    return recipe
