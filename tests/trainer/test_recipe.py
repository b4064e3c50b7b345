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
        ("batch_size:", "batchsize:", "batchsize: no such key; did you mean 'batch_size'?"),
        (
            "preset: nano-plain",
            "preset: nano-plain\n  modell: nano",
            "start.modell: no such key; did you mean 'model'?",
        ),
        ("align: 1.0", "align: 1.0, zzz: 1", "loss.zzz: no such key; there are text, bce, dice"),
        ("seed: 0", "seed: 0\nvalidation: {every: 1, records: [{pth: x}]}", "validation.records.0.pth: .*'path'"),
        ("batch_size: 8", "batch_size: 0", "batch_size"),
        ("preset: nano-plain", "preset: pico", "start: no preset 'pico'"),
        (
            "preset: nano-plain",
            "preset: nano-plain\n  model: nano",
            "start: give one of preset, model and language_model",
        ),
        ("preset: nano-plain", "model: nano", "start: one of tokenizer and grown_from goes with preset"),
        ("ccp: 0.", "ccq: 0.", "sets"),
        ("preset: nano-plain", "preset: [", "not YAML"),
        ("align: 1.0", "align: 1.0, mask_frame: full", "loss: align needs mask_frame: low_res"),
        ("align: 1.0", "mask_frame: half", "loss.mask_frame"),
        ("data: ", "data: /no/such", "data: no folder"),
        ("data: ", "records: [{path: /no/such}]\ndata: ", "records: no folder /no/such"),
        ("data: ", "tasks: {referring: 1}\ndata: ", "tasks weighs the tasks of records"),
        ("parts: [all]", "parts: [wheels]", "train.parts.0"),
        ("lora: null", "lora: {}", "train: .* lora: null"),
        ("seed: 0", "seed: 0\naccumulate: 3", "can't be cut into 3 parts"),
        ("seed: 0", "seed: 0\nvalidation: {every: 10}", "validation: give sets or records"),
        ("batch_size: 8", "batch_size: .inf", "batch_size: .*finite"),
        ("batch_size: 8", "batch_size: yes", "batch_size: can't be true"),
        ("batch_size: 8", "batch_size: 2026-13-45", "batch_size: .*integer"),
        ("batch_size: 8", "batch_size: 99999999999999999999", "batch_size: .*less than"),
        ("batch_size: 8", f"batch_size: {'9' * 5_000}", r"line \d+: '9+\.\.\.' is no int"),
        ("batch_size: 8", "batch_size: !!int x", r"line \d+: 'x' is no int"),
        ("batch_size: 8", "batch_size: 010", r"line \d+: 010 is 8 in YAML: write that"),
        ("batch_size: 8", "batch_size: 1:30", r"line \d+: 1:30 is 90 in YAML: write that"),
        ("align: 1.0", "align: .nan", "loss.align: .*finite"),
        ("align: 1.0", "align: 1.0e+999", "loss.align: .*finite"),
        ("align: 1.0", "align: 1e999", "loss.align: .*finite"),
        ("seed: 0", "seed: -1", "seed: .*greater than or equal to 0"),
        ("seed: 0", "seed: 18446744073709551616", "seed: .*less than"),
        ("ema: 0.", "ema: 1.", "ema: .*less than 1"),
        ("ccp: 0.", "ccp: -0.", "sets.ccp: .*greater than"),
    ],
)
def test_a_wrong_recipe_names_file_and_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = _write(tmp_path, old, new)
    with pytest.raises(UsageError, match=message) as caught:
        read_recipe(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"# steps: 5", "is empty"),
        (b"- steps: 5", "holds a list, not keys with values"),
        (b"steps", "holds a str"),
        (b"steps: 5\nsteps: 6", "the table that begins in line 1 has the key 'steps' twice"),
        (b"optimizer: {lr: 1, lr: 2}", "has the key 'lr' twice"),
        (b"steps:\n\t5", "line 2: not YAML: .*character"),
        (b"steps: 5\n---\nsteps: 6", "line 2: not YAML"),
        (b"a: [" * 5_000, "nested too deep"),
        (b"- " * 5_000, "nested too deep"),
        (b"a: caf\xe9", "not YAML: at position 6: .*utf-8"),
        (b"a: \x00", "not YAML"),
        (b"a: &a [*a]", "more than 10,000 values"),
        (b"a: &a {<<: *a}", "more than 10,000 values"),
        (b"a: *b", "line 1: not YAML: found undefined alias"),
        (b"? [a]\n: b", "line 1: not YAML: found unhashable key"),
        (b"a: !!python/object/apply:os.system [ls]", "line 1: a value of the type .*python"),
        (b"a: !!timestamp x", "line 1: a value of the type .*timestamp"),
        (b"a: !!bool maybe", "line 1: 'maybe' is no bool"),
        (b"1: 2", "1: "),
        (b"x" * 2_000_000, "2.0 MB: too large"),
    ],
)
def test_a_file_that_is_no_recipe_is_said_in_a_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message) as caught:
        read_recipe(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "bomb", ["[*{0}, *{0}, *{0}, *{0}, *{0}, *{0}, *{0}, *{0}, *{0}]", "{{<<: [*{0}, *{0}, *{0}]}}"]
)
def test_aliases_of_aliases_do_not_fill_the_memory(tmp_path: Path, bomb: str) -> None:
    lines = ["a0: &a0 {x: 1}", *(f"a{n}: &a{n} {bomb.format(f'a{n - 1}')}" for n in range(1, 30))]
    path = tmp_path / "recipe.yaml"
    path.write_text("\n".join(lines))
    with pytest.raises(UsageError, match="more than 10,000 values"):
        read_recipe(path)


def test_aliases_and_byte_order_marks_are_no_fault(tmp_path: Path) -> None:
    text = _write(tmp_path, "start:", "start:").read_text()
    text = text.replace("\nsets: {", "\nsets: &sets {") + "\nvalidation: {every: 10, sets: {coco: 1}}\n"
    assert "&sets" in text
    for encoding in ("utf-8-sig", "utf-16"):
        path = tmp_path / f"{encoding}.yaml"
        path.write_text(text.replace("\n", "\r\n"), encoding=encoding, newline="")
        assert read_recipe(path).validation is not None


def test_the_recipe_of_nano_is_valid(tmp_path: Path) -> None:
    recipe = read_recipe(_write(tmp_path, "preset: nano-plain", "preset: nano-plain"))
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
