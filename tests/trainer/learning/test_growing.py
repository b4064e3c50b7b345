"""A larger model from a smaller one: at first it sees what that sees."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from engine.errors import UsageError
from engine.model.config import HintsConfig, ModelConfig
from engine.model.mglmm import MGLMM
from engine.model.tokenizers import BpeTokenizer
from tests.engine.tiny import FINE, TINY, tokenizer
from trainer.data.imagenet import CLASSES, spoken_names
from trainer.learning.growing import grow
from trainer.learning.names import names_that_fit, write_names
from trainer.learning.parts import choose
from trainer.recipe import Recipe


@pytest.fixture(scope="module")
def words() -> BpeTokenizer:
    return tokenizer()


@pytest.fixture(scope="module")
def larger(words: BpeTokenizer) -> ModelConfig:
    """Finer maps, the backbone's classifier, and names of up to 12 tokens."""
    hints = HintsConfig(names=len(names_that_fit(words, 12)), count=2, tokens=12)
    view = FINE.global_encoder.model_copy(update={"class_features": True, "hints": hints})
    pixel = FINE.pixel_encoder.model_copy(update={"classifier": True})
    return ModelConfig.model_validate(FINE.model_dump() | {"global_encoder": view, "pixel_encoder": pixel})


@torch.inference_mode()
def test_what_is_new_changes_nothing_at_first(larger: ModelConfig) -> None:
    torch.manual_seed(0)
    small, large = MGLMM(TINY).eval(), MGLMM(larger).eval()
    grow(large, small.state_dict())
    pixels = torch.randn(1, 3, 96, 96)
    before, after = small.encode_images(pixels, None), large.encode_images(pixels, None)
    assert before.embedding is not None and after.embedding is not None
    torch.testing.assert_close(after.tokens[:, :9], before.tokens)
    torch.testing.assert_close(after.embedding.grid, before.embedding.grid)
    assert after.tokens.shape[1] == larger.global_encoder.tokens == 9 + 2 * 12
    assert all(not maps.any() for maps in after.embedding.high_res)


def test_a_model_of_another_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="has no other.weight"):
        grow(MGLMM(TINY), {"other.weight": torch.zeros(1)})
    with pytest.raises(
        UsageError, match=r"projector.0.bias is \(65,\) in what the model starts from, and \(64,\) in it"
    ):
        grow(MGLMM(TINY), {"projector.0.bias": torch.zeros(65)})


def test_every_class_has_one_name(words: BpeTokenizer, larger: ModelConfig) -> None:
    named = [number for _, classes in spoken_names() for number in classes]
    assert sorted(named) == list(range(CLASSES))
    model = MGLMM(larger)
    assert model.hints is not None
    write_names(model.hints, words)
    name = int(model.hints.name_of_class[281])
    assert words.decode(model.hints.name_ids[name].tolist()).replace("<pad>", "").strip() == "cat"
    unnamed = int((model.hints.name_of_class == len(model.hints.name_ids)).sum())
    assert unnamed == CLASSES - sum(len(classes) for _, classes in names_that_fit(words, 12))


def test_the_classifier_stays_as_it_is(larger: ModelConfig) -> None:
    model = MGLMM(larger)
    recipe: dict[str, Any] = {
        "start": {"model": "x"},
        "records": [{"path": "x"}],
        "steps": 1,
        "batch_size": 1,
        "text_tokens": 64,
        "masks_per_step": 8,
    }
    recipe["optimizer"] = {"lr": 1e-3}
    whole = {"parts": ["all"], "lora": None}
    choose(model, Recipe.model_validate(recipe | {"train": whole | {"frozen_stages": 3}}))
    pyramid = model.pixel_encoder
    assert not any(parameter.requires_grad for parameter in pyramid.classifier.parameters())  # type: ignore[union-attr]
    assert model.hints is not None and all(parameter.requires_grad for parameter in model.hints.parameters())
    with pytest.raises(UsageError, match="frozen_stages"):
        choose(model, Recipe.model_validate(recipe | {"train": whole | {"frozen_stages": 2}}))
