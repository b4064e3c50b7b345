"""What learns in a run: parts of the model as a whole, and LoRA factors in its language model.

What is frozen has no gradient and is in eval mode: no dropout, and batch norms keep their statistics.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import nn

from engine.errors import UsageError
from engine.model import adapter
from engine.model.global_encoder import PyramidTokens
from engine.model.mglmm import MGLMM
from engine.model.pixel_encoder import Classifier, Pyramid, freeze_batch_norm
from trainer.learning.backbone import freeze_stages
from trainer.recipe import LoraRecipe, PartName, Recipe

PARTS: Mapping[PartName, tuple[str, ...]] = {
    "global_encoder": ("global_encoder",),
    "pixel_encoder": ("pixel_encoder",),
    "projector": ("projector", "hints"),
    "embeddings": ("language_model.model.embed_tokens",),
    "language_model": ("language_model.model.layers", "language_model.model.norm"),
    "lm_head": ("language_model.lm_head",),
    "text_hidden_fcs": ("text_hidden_fcs",),
    "prompt_encoder": ("mask_head.prompt_encoder",),
    "mask_decoder": ("mask_head.mask_decoder",),
    "region_encoder": ("region_encoder",),
}
"""The modules of each part; together they are the model."""
LORA = "lora"
"""What the factors are called beside the parts."""


@dataclass(frozen=True, slots=True)
class PartSize:
    """Parameters of a part. Tied weights count for the part that comes first."""

    name: str
    trained: int
    frozen: int


def choose(model: MGLMM, recipe: Recipe) -> None:
    """Attach the factors, and let exactly that learn which the recipe names.

    Raises:
        UsageError: if the model lacks a part or projection that should learn.
    """
    if recipe.train.lora:
        _attach(model, recipe.train.lora)
    model.requires_grad_(False)
    everything = "all" in recipe.train.parts
    for part, paths in PARTS.items():
        if part == "region_encoder" and model.region_encoder is None:
            if part in recipe.train.parts:
                raise UsageError(f"train.parts: {model.config.name} has no region_encoder")
            continue
        if everything or part in recipe.train.parts:
            for path in paths:
                for _, parameter in _parameters(model, path):
                    parameter.requires_grad_(True)
    for name, parameter in model.named_parameters():
        if adapter.is_factor(name):
            parameter.requires_grad_(True)
    if recipe.train.frozen_stages and isinstance(model.pixel_encoder, Pyramid):
        freeze_stages(model.pixel_encoder.backbone, recipe.train.frozen_stages)
    _keep_classifier(model)
    if recipe.train.drop_pyramid:
        tokens = model.global_encoder
        if not isinstance(tokens, PyramidTokens) or not tokens.class_features:
            raise UsageError(f"train.drop_pyramid: {model.config.name} has no image tokens of a kept classifier")
        tokens.drop_rate = recipe.train.drop_pyramid


def _keep_classifier(model: MGLMM) -> None:
    """The backbone's own classifier knows what it knew before training, and so must the stages that it shares."""
    pyramid = model.pixel_encoder
    if not isinstance(pyramid, Pyramid) or pyramid.classifier is None:
        return
    pyramid.classifier.requires_grad_(False)
    shared = (*pyramid.backbone.get_submodule("blocks").children(),)[: Classifier.SHARED]
    if any(parameter.requires_grad for stage in shared for parameter in stage.parameters()):
        raise UsageError(f"train.frozen_stages: {model.config.name} keeps its backbone's classifier: at least 3")


def set_modes(model: MGLMM) -> None:
    """Training mode for what learns, eval mode for the rest."""
    model.eval()
    for part in PARTS:
        for module in _modules(model, part):
            module.train()
            for child in module.modules():
                if _is_frozen(child):
                    child.eval()
    language = model.language_model
    if any(p.requires_grad for p in language.model.layers.parameters()):
        # Without their children: a frozen layer must not drop anything, but only a training one is checkpointed.
        for container in (language, language.model, *language.model.layers):
            container.training = True
        for name, module in language.named_modules():
            if name.rpartition(".")[2] == "lora_dropout":
                module.train()
    freeze_batch_norm(model)


def sizes(model: MGLMM) -> list[PartSize]:
    """Parameters by part, and of the factors."""
    counted: set[int] = set()
    found = []
    factors = 0
    for part, paths in PARTS.items():
        trained = frozen = 0
        for path in paths:
            for name, parameter in _parameters(model, path):
                if id(parameter) in counted:
                    continue
                counted.add(id(parameter))
                if adapter.is_factor(name):
                    factors += parameter.numel()
                elif parameter.requires_grad:
                    trained += parameter.numel()
                else:
                    frozen += parameter.numel()
        found.append(PartSize(part, trained, frozen))
    found.append(PartSize(LORA, factors, 0))
    return [part for part in found if part.trained or part.frozen]


def _attach(model: MGLMM, lora: LoraRecipe) -> None:
    if adapter.has_adapter(model.language_model):
        raise UsageError(f"{model.config.name} has an adapter: start from what `mglmm merge` makes of it")
    layers = model.language_model.model.layers
    known = {name.rpartition(".")[2] for name, module in layers.named_modules() if isinstance(module, nn.Linear)}
    for projection in lora.projections:
        if projection not in known:
            raise UsageError(
                f"train.lora.projections: {model.config.name} has no {projection!r}; it has {', '.join(sorted(known))}"
            )
    adapter.attach(
        model.language_model,
        rank=lora.rank,
        alpha=lora.alpha,
        dropout=lora.dropout,
        layers=lora.projections,
    )


def _modules(model: MGLMM, part: PartName) -> Iterator[nn.Module]:
    """The modules of a part in which anything but factors learns."""
    for path in PARTS[part]:
        learns = [n for n, p in _parameters(model, path) if p.requires_grad and not adapter.is_factor(n)]
        if learns:
            yield model.get_submodule(path)


def _parameters(model: MGLMM, path: str) -> Iterator[tuple[str, nn.Parameter]]:
    if getattr(model, path, model) is not None:  # some models lack some parts
        yield from model.get_submodule(path).named_parameters()


def _is_frozen(module: nn.Module) -> bool:
    parameters = list(module.parameters())
    return bool(parameters) and not any(parameter.requires_grad for parameter in parameters)
