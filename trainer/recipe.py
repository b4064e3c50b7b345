"""A training recipe: one YAML file, validated before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from engine.errors import UsageError
from engine.model.presets import PRESETS
from engine.text.prompts import Task

SetName = Literal["ccp", "camvid", "coco", "person", "captions"]
MaskFrame = Literal["low_res", "full"]
PartName = Literal[
    "all",
    "global_encoder",
    "pixel_encoder",
    "projector",
    "embeddings",
    "language_model",
    "lm_head",
    "text_hidden_fcs",
    "prompt_encoder",
    "mask_decoder",
    "region_encoder",
]
"""Parts of a model that are trained or frozen as a whole; `language_model` are its layers, `all` is every part."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TokenizerRecipe(_Section):
    """A tokenizer trained on the texts of `scenes` photographs."""

    vocabulary: PositiveInt
    scenes: PositiveInt


class BackboneRecipe(_Section):
    """Where the pixel encoder's backbone starts: a pip package with ImageNet weights."""

    package: str
    file: str


class StartRecipe(_Section):
    """What training begins with: exactly one of `preset`, `model` and `language_model`.

    Attributes:
        preset: an architecture with random weights; `tokenizer` and perhaps `backbone` belong to it.
        model: a model with weights: an embedded one, a model folder or a hub name; its tokenizer is its own.
        language_model: a language model of transformers (a folder, a GGUF file, or a package that holds one) that
            takes the place of the one in `visual`, behind a new projector.
        tokenizer: how a tokenizer is made for a preset.
        backbone: where the backbone of a preset starts.
        visual: the model whose encoders and mask decoder are taken, for `language_model`.
    """

    preset: str | None = None
    model: str | None = None
    language_model: str | None = None
    tokenizer: TokenizerRecipe | None = None
    backbone: BackboneRecipe | None = None
    visual: str | None = None

    @model_validator(mode="after")
    def _one_start(self) -> StartRecipe:
        if sum(value is not None for value in (self.preset, self.model, self.language_model)) != 1:
            raise ValueError("give one of preset, model and language_model")
        if self.preset is not None and self.preset not in PRESETS:
            raise ValueError(f"no preset {self.preset!r}; known: {', '.join(PRESETS)}")
        if (self.tokenizer is None) != (self.preset is None):
            raise ValueError("tokenizer goes with preset: other models have one of their own")
        if self.backbone is not None and self.preset is None:
            raise ValueError("backbone goes with preset: other models have weights")
        if (self.visual is None) != (self.language_model is None):
            raise ValueError("visual goes with language_model: the model whose encoders and mask decoder are taken")
        return self


class LoraRecipe(_Section):
    """Low-rank factors beside linear layers of the language model, which themselves stay frozen."""

    rank: PositiveInt = 8
    alpha: PositiveFloat = 16
    dropout: float = Field(0.05, ge=0, lt=1)
    projections: tuple[str, ...] = Field(("q_proj", "v_proj"), min_length=1)


class TrainedRecipe(_Section):
    """What learns; everything else is frozen.

    Attributes:
        parts: learn as a whole.
        lora: for the layers of the language model, or None.
        frozen_stages: so many early stages of a pyramid's backbone stay frozen though the pixel encoder learns.
    """

    parts: tuple[PartName, ...] = ("embeddings", "lm_head", "projector", "text_hidden_fcs", "mask_decoder")
    lora: LoraRecipe | None = LoraRecipe()
    frozen_stages: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _lora_fits(self) -> TrainedRecipe:
        if self.lora and {"all", "language_model"} & set(self.parts):
            raise ValueError("layers of the language model learn as a whole or by lora: write lora: null")
        if not self.lora and not self.parts:
            raise ValueError("nothing would be trained")
        return self


class RecordsRecipe(_Section):
    """A folder of training records, as `mglmm data convert` writes it.

    Attributes:
        path: relative to the working directory.
        rate: how often it is drawn among the folders that hold the same task.
    """

    path: Path
    rate: PositiveFloat = 1.0


class ValidationRecipe(_Section):
    """What is measured between steps, on photographs that are not trained on.

    Attributes:
        every: steps between validations.
        photographs: how many are looked at, the same each time.
        answers: how many of them are also asked their first question, for samples.jsonl.
        sets: the `val` folders of these sets, and how often each is drawn.
        records: folders of records that are held out.
        best_by: what decides which weights are kept as the best: the highest mask IoU, or the lowest loss.
    """

    every: PositiveInt
    photographs: PositiveInt = 64
    answers: int = Field(4, ge=0)
    sets: dict[Literal["ccp", "camvid", "coco"], PositiveFloat] = {}
    records: tuple[RecordsRecipe, ...] = ()
    best_by: Literal["iou", "loss"] = "iou"

    @model_validator(mode="after")
    def _has_photographs(self) -> ValidationRecipe:
        if not self.sets and not self.records:
            raise ValueError("give sets or records to validate on")
        if self.answers > self.photographs:
            raise ValueError(f"answers ({self.answers}) are of the {self.photographs} photographs")
        return self


class OptimizerRecipe(_Section):
    """AdamW with linear warm-up and linear decay to a tenth; `backbone_lr` is that of a pyramid's backbone."""

    lr: PositiveFloat
    backbone_lr: PositiveFloat | None = None
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
        start: what training begins with.
        train: what learns.
        data: root of the photographs of `sets` (layout: docs/training.md), relative to the working directory.
        sets: how often each set is drawn.
        records: folders of training records.
        tasks: how often each task of `records` is drawn, relative to the others and to `sets`; by default 1 for each
            task that they hold.
        steps: optimiser steps of `batch_size` photographs.
        batch_size: photographs of an optimiser step, those of all processes together.
        accumulate: into so many parts the share of a process is cut, one after the other, to save memory.
        text_tokens: at most so many tokens of questions and answers per photograph; conversations that do not
            fit are left for another time.
        masks_per_step: at most so many masks are decoded in a step, drawn among those of the batch.
        ema: decay of the running average of the weights, which is then what is stored; None stores them as they are.
        bf16: run matrix products in bfloat16.
        gradient_checkpointing: compute the language model's activations twice instead of keeping them.
        workers: loader processes.
        save_every: steps between resumable checkpoints.
        validation: what is measured on the way.
    """

    start: StartRecipe
    train: TrainedRecipe = TrainedRecipe()
    data: Path | None = None
    sets: dict[SetName, PositiveFloat] = {}
    records: tuple[RecordsRecipe, ...] = ()
    tasks: dict[Task, PositiveFloat] = {}
    steps: PositiveInt
    batch_size: PositiveInt
    accumulate: PositiveInt = 1
    text_tokens: PositiveInt = 320
    masks_per_step: PositiveInt = 48
    optimizer: OptimizerRecipe
    loss: LossRecipe = LossRecipe()
    ema: float | None = Field(None, ge=0, lt=1)
    bf16: bool = False
    gradient_checkpointing: bool = False
    seed: int = 0
    workers: int = Field(1, ge=0)
    save_every: PositiveInt = 200
    validation: ValidationRecipe | None = None

    @model_validator(mode="after")
    def _data_fits(self) -> Recipe:
        if not self.sets and not self.records:
            raise ValueError("give sets or records to train on")
        if self.tasks and not self.records:
            raise ValueError("tasks weighs the tasks of records, and there are none")
        composed = bool(self.sets or self.start.preset or (self.validation and self.validation.sets))
        if composed and self.data is None:
            raise ValueError("data is missing: the folder of the sets, or of the texts that a tokenizer is made of")
        if self.batch_size % self.accumulate:
            raise ValueError(f"batch_size {self.batch_size} can't be cut into {self.accumulate} parts (accumulate)")
        return self


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
        raise UsageError(f"{path}: {where}: {first['msg'].removeprefix('Value error, ')}") from error
    if recipe.data is not None and not recipe.data.is_dir():
        raise UsageError(f"{path}: data: no folder {recipe.data}; see docs/training.md for its layout")
    held_out = recipe.validation.records if recipe.validation else ()
    for entry in (*recipe.records, *held_out):
        if not entry.path.is_dir():
            raise UsageError(f"{path}: records: no folder {entry.path}; `mglmm data convert` makes one")
    return recipe
