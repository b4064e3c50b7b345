"""A training recipe: one YAML file, validated before anything is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from engine.errors import UsageError
from engine.model.presets import PRESETS
from engine.text.prompts import Task
from trainer.yaml_file import read_yaml

Count = Annotated[int, Field(ge=1, lt=2**31)]
Rate = Annotated[float, Field(ge=1e-9, le=1e9)]
"""How often something is drawn, relative to the others."""
Share = Annotated[float, Field(ge=0, lt=1)]

SetName = Literal[
    "ccp", "camvid", "coco", "voc", "voc2", "carparts", "facade", "cocostuff", "person", "captions"
]  # fmt: skip
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
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        # pydantic takes true, and so YAML's yes and on, for 1.
        assert info.field_name is not None
        if isinstance(value, bool) and cls.model_fields[info.field_name].annotation is not bool:
            raise ValueError(f"can't be {str(value).lower()}")
        return value


class TokenizerRecipe(_Section):
    """A tokenizer trained on the texts of `scenes` photographs."""

    vocabulary: Count
    scenes: Count


class BackboneRecipe(_Section):
    """Where the pixel encoder's backbone starts: a pip package with ImageNet weights."""

    package: str
    file: str


class StartRecipe(_Section):
    """What training begins with: exactly one of `preset`, `model` and `language_model`.

    Attributes:
        preset: an architecture with random weights; `tokenizer` or `grown_from`, and perhaps `backbone`, belong to it.
        grown_from: a smaller model of the preset's kind, whose weights and tokenizer are taken over.
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
    grown_from: str | None = None
    backbone: BackboneRecipe | None = None
    visual: str | None = None

    @model_validator(mode="after")
    def _one_start(self) -> StartRecipe:
        if sum(value is not None for value in (self.preset, self.model, self.language_model)) != 1:
            raise ValueError("give one of preset, model and language_model")
        if self.preset is not None and self.preset not in PRESETS:
            raise ValueError(f"no preset {self.preset!r}; known: {', '.join(PRESETS)}")
        if sum(value is not None for value in (self.tokenizer, self.grown_from)) != (self.preset is not None):
            raise ValueError("one of tokenizer and grown_from goes with preset: other models have a tokenizer")
        if self.backbone is not None and self.preset is None:
            raise ValueError("backbone goes with preset: other models have weights")
        if (self.visual is None) != (self.language_model is None):
            raise ValueError("visual goes with language_model: the model whose encoders and mask decoder are taken")
        return self


class LoraRecipe(_Section):
    """Low-rank factors beside linear layers of the language model, which themselves stay frozen."""

    rank: Count = 8
    alpha: PositiveFloat = 16
    dropout: Share = 0.05
    projections: tuple[str, ...] = Field(("q_proj", "v_proj"), min_length=1)


class TrainedRecipe(_Section):
    """What learns; everything else is frozen.

    Attributes:
        parts: learn as a whole.
        lora: for the layers of the language model, or None.
        frozen_stages: so many early stages of a pyramid's backbone stay frozen though the pixel encoder learns.
        drop_pyramid: how often the image tokens of a photograph are made of what the backbone's kept classifier reads,
            without the pyramid that learns.
    """

    parts: tuple[PartName, ...] = ("embeddings", "lm_head", "projector", "text_hidden_fcs", "mask_decoder")
    lora: LoraRecipe | None = LoraRecipe()
    frozen_stages: int = Field(0, ge=0)
    drop_pyramid: Share = 0.0

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
    rate: Rate = 1.0


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

    every: Count
    photographs: Count = 64
    answers: int = Field(4, ge=0)
    sets: dict[Literal["ccp", "camvid", "coco"], Rate] = {}
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
    weight_decay: float = Field(0.0, ge=0)
    betas: tuple[Share, Share] = (0.9, 0.95)
    warmup: Count = 100
    clip: PositiveFloat = 1.0


class LossRecipe(_Section):
    """Weights of the losses; `semantic` and `align` are training aids that leave nothing in the model.

    Attributes:
        repetition: of names that come in a phrase again, though the answer has used them up.
        mask_frame: where predicted masks are compared with the true ones: in the decoder's own `low_res` frame, or
            in the `full` frame of the photograph, as the public models were trained.
    """

    text: float = 1.0
    bce: float = 2.0
    dice: float = 0.5
    semantic: float = 0.0
    align: float = 0.0
    repetition: float = 0.0
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
        text_tokens: at most so many tokens of questions and answers per photograph; conversations that do not fit
            beside the others are left for another time. One that is longer by itself has a row of its own and is
            trained whole; one that is longer than the model has positions for is left out, and named.
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
    sets: dict[SetName, Rate] = {}
    records: tuple[RecordsRecipe, ...] = ()
    tasks: dict[Task, Rate] = {}
    steps: Count
    batch_size: Count
    accumulate: Count = 1
    text_tokens: Count = 320
    masks_per_step: Count = 48
    optimizer: OptimizerRecipe
    loss: LossRecipe = LossRecipe()
    ema: Share | None = None
    bf16: bool = False
    gradient_checkpointing: bool = False
    seed: int = Field(0, ge=0, lt=2**32)
    workers: int = Field(1, ge=0, le=256)
    save_every: Count = 200
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
    content = read_yaml(path)
    if not isinstance(content, dict):
        held = "is empty" if content is None else f"holds a {type(content).__name__}, not keys with values"
        raise UsageError(f"{path}: {held}; docs/training.md says what a recipe is")
    try:
        recipe = Recipe.model_validate(content)
    except ValidationError as error:
        # A key that is missing may be one that is misspelt.
        first = min(error.errors(include_url=False), key=lambda one: one["type"] == "missing")
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UsageError(f"{path}: {where}: {_reason(first)}") from None
    if recipe.data is not None and not _is_folder(recipe.data):
        raise UsageError(f"{path}: data: no folder {recipe.data}; see docs/training.md for its layout")
    held_out = recipe.validation.records if recipe.validation else ()
    for entry in (*recipe.records, *held_out):
        if not _is_folder(entry.path):
            raise UsageError(f"{path}: records: no folder {entry.path}; `mglmm data convert` makes one")
    return recipe


def _reason(error: Any) -> str:
    """What pydantic says of a value; of an unknown key, which ones there are."""
    if error["type"] != "extra_forbidden":
        return str(error["msg"]).removeprefix("Value error, ")
    *section, key = error["loc"]
    known = list(_section(Recipe, section).model_fields)
    close = get_close_matches(str(key), known, n=1)
    return f"no such key; did you mean {close[0]!r}?" if close else f"no such key; there are {', '.join(known)}"


def _section(model: type[BaseModel], place: Sequence[int | str]) -> type[BaseModel]:
    """The section at a place of a recipe."""
    for part in place:
        if part in model.model_fields:
            model = next(_sections_in(model.model_fields[str(part)].annotation))
    return model


def _sections_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _sections_in(argument)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # not readable, or no name that a folder can have
        return False
