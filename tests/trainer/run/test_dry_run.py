"""A dry run says what a recipe would do, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

from engine.model.checkpoint import load
from tests import program
from tests.trainer import making
from trainer.run.dry_run import plan


def test_a_plan_counts_parameters_memory_tasks_and_marks_what_is_learned(tmp_path: Path) -> None:
    recipe = making.recipe(tmp_path, ema=0.9, accumulate=2)
    before = sorted(tmp_path.rglob("*"))
    found = plan(recipe)
    assert sorted(tmp_path.rglob("*")) == before
    model = load(str(tmp_path / "tiny")).model
    trained = sum(part.trained for part in found.parts)
    frozen = sum(part.frozen for part in found.parts)
    factors = next(part.trained for part in found.parts if part.name == "lora")
    assert trained - factors + frozen == sum(parameter.numel() for parameter in model.parameters())
    assert found.memory["gradients"] == found.memory["average"] == 4 * trained
    assert found.memory["optimiser"] == 8 * trained
    assert found.memory["activations"] > 0
    # Every fourth record is a caption, and tasks count the same by default.
    assert set(found.tasks) == {"referring", "caption"}
    assert len(found.rows) == 2
    for row in found.rows:
        learned = [passage.text for passage in row if passage.learned]
        read = [passage.text for passage in row if not passage.learned]
        assert all(text == "<p> the cup </p> [SEG]" or text.startswith("A cup") for text in learned)
        assert read[0].endswith("ASSISTANT:")


def test_the_command_prints_the_plan(tmp_path: Path) -> None:
    done = program.run_text("train", making.recipe(tmp_path), "--dry-run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for word in ("mask_decoder", "lora", "activations", "referring", "records", "ASSISTANT:\n  >> "):
        assert word in done.stdout
