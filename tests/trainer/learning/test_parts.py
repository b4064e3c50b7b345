"""What learns, and that the rest is truly frozen."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from engine.errors import UsageError
from engine.model import adapter
from engine.model.mglmm import MGLMM
from tests.engine.tiny import TINY
from trainer.learning.parts import PARTS, choose, set_modes, sizes
from trainer.recipe import Recipe


def _recipe(**train: Any) -> Recipe:
    content = {"start": {"model": "tiny"}, "records": [{"path": "x"}], "steps": 1, "batch_size": 1}
    return Recipe.model_validate(content | {"optimizer": {"lr": 1e-3}, "train": train})


def _chosen(**train: Any) -> MGLMM:
    torch.manual_seed(0)
    model = MGLMM(TINY)
    choose(model, _recipe(**train))
    set_modes(model)
    return model


def test_parts_are_the_whole_model() -> None:
    model = MGLMM(TINY)
    assert sum(part.trained + part.frozen for part in sizes(model)) == sum(p.numel() for p in model.parameters())
    covered = tuple(path for paths in PARTS.values() for path in paths)
    assert all(name.startswith(covered) for name, _ in model.named_parameters())


def test_by_default_the_encoders_and_layers_are_frozen_beside_factors() -> None:
    model = _chosen()
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    for name in trained:
        known = ("language_model.model.embed_tokens", "projector", "text_hidden_fcs", "mask_head.mask_decoder")
        assert name.startswith(known) or adapter.is_factor(name), name
    factors = {name.split(".")[-4] for name in trained if adapter.is_factor(name)}
    assert factors == {"q_proj", "v_proj"}
    by_name = {part.name: part for part in sizes(model)}
    assert by_name["pixel_encoder"].trained == 0 < by_name["pixel_encoder"].frozen
    # Two layers: 64 channels into 8, and 8 out to 64 (queries) and 32 (values).
    assert by_name["lora"].trained == 2 * (8 * 64 + 64 * 8 + 8 * 64 + 32 * 8)


def test_frozen_modules_are_in_eval_mode_and_factors_drop() -> None:
    model = _chosen()
    for name, module in model.named_modules():
        own = list(module.parameters(recurse=False))
        if own and not any(p.requires_grad for p in own):
            assert not module.training, name
        if isinstance(module, nn.Dropout):
            assert module.training == ("lora_dropout" in name), name
    assert model.mask_head.mask_decoder.training
    # Only layers that train are computed twice.
    assert all(layer.training for layer in model.language_model.model.layers)


def test_everything_can_learn_without_factors() -> None:
    model = _chosen(parts=["all"], lora=None)
    assert all(p.requires_grad for p in model.parameters())
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    assert norms and not any(norm.training for norm in norms)
    assert model.pixel_encoder.training


def test_wrong_parts_and_projections_are_named() -> None:
    with pytest.raises(UsageError, match=r"tiny has no 'w_pack'; it has down_proj, .*q_proj"):
        _chosen(lora={"projections": ["w_pack"]})
    with pytest.raises(UsageError, match="tiny has no region_encoder"):
        _chosen(parts=["region_encoder"])
    with pytest.raises(ValueError, match="lora: null"):
        _recipe(parts=["all"])
    with pytest.raises(UsageError, match="mglmm merge"):
        choose(_chosen(), _recipe())
