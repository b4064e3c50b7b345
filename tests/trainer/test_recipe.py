from pathlib import Path

import pytest

from engine.errors import UsageError
from trainer.recipe import Recipe, read_recipe

RECIPES = Path(__file__).parents[2] / "trainer" / "recipes"


def _write(folder: Path, old: str, new: str, shipped: str = "nano") -> Path:
    text = (RECIPES / f"{shipped}.yaml").read_text().replace("../shared/data", str(folder))
    assert old in text
    path = folder / "recipe.yaml"
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("batch_size:", "batchsize:", "batch"),
        ("batch_size: 8", "batch_size: 0", "batch_size"),
        ("preset: nano", "preset: pico", "start: no preset 'pico'"),
        ("preset: nano", "preset: nano\n  model: nano", "start: give one of preset, model and language_model"),
        ("preset: nano", "model: nano", "start: tokenizer goes with preset"),
        ("ccp: 0.", "ccq: 0.", "sets"),
        ("preset: nano", "preset: [", "not YAML"),
        ("align: 1.0", "align: 1.0, mask_frame: full", "loss: align needs mask_frame: low_res"),
        ("align: 1.0", "mask_frame: half", "loss.mask_frame"),
        ("data: ", "data: /no/such", "data: no folder"),
        ("data: ", "records: [{path: /no/such}]\ndata: ", "records: no folder /no/such"),
        ("data: ", "tasks: {referring: 1}\ndata: ", "tasks weighs the tasks of records"),
        ("parts: [all]", "parts: [wheels]", "train.parts.0"),
        ("lora: null", "lora: {}", "train: .* lora: null"),
        ("seed: 0", "seed: 0\naccumulate: 3", "can't be cut into 3 parts"),
        ("seed: 0", "seed: 0\nvalidation: {every: 10}", "validation: give sets or records"),
    ],
)
def test_a_wrong_recipe_names_file_and_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = _write(tmp_path, old, new)
    with pytest.raises(UsageError, match=message) as caught:
        read_recipe(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_recipe_of_nano_is_valid(tmp_path: Path) -> None:
    recipe = read_recipe(_write(tmp_path, "preset: nano", "preset: nano"))
    assert recipe.start.backbone is not None
    assert set(recipe.sets) == {"ccp", "camvid", "coco", "person", "captions"}


@pytest.mark.parametrize("name", [path.stem for path in sorted(RECIPES.glob("*.yaml"))])
def test_every_shipped_recipe_is_valid(tmp_path: Path, name: str) -> None:
    read_recipe(_write(tmp_path, "start:", "start:", name))


def test_the_defaults_are_those_of_the_paper() -> None:
    recipe = Recipe.model_validate(
        {"start": {"model": "x"}, "records": [{"path": "y"}], "steps": 1, "batch_size": 1, "optimizer": {"lr": 3e-4}}
    )
    lora = recipe.train.lora
    assert lora is not None
    assert (lora.rank, lora.alpha, lora.dropout, lora.projections) == (8, 16, 0.05, ("q_proj", "v_proj"))
    assert set(recipe.train.parts) == {"embeddings", "lm_head", "projector", "text_hidden_fcs", "mask_decoder"}
    assert (recipe.loss.text, recipe.loss.bce, recipe.loss.dice) == (1.0, 2.0, 0.5)
    assert recipe.optimizer.betas == (0.9, 0.95) and recipe.optimizer.weight_decay == 0
    assert recipe.ema is None
