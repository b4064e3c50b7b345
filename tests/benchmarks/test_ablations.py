"""What the ablations change in the training data, and that they change nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.ablations import (
    NAMED,
    composing,
    make_start,
    recipe,
    start_config,
    unchanged,
    without_parts,
    without_phrase,
    write_recipe,
)
from engine.errors import UsageError
from engine.text.prompts import Task
from tests.trainer.data.scenes import dressed, traffic
from trainer.data import source
from trainer.data.compose import Conversation, conversations
from trainer.data.compose.segmentation import multiple, refusal
from trainer.data.compose.view import View
from trainer.recipe import Recipe


def drawn() -> list[Conversation]:
    return [
        entry
        for scene in (dressed(), traffic())
        for seed in range(30)
        for entry in source.conversations(scene, np.random.default_rng(seed))
    ]


def test_an_answer_without_its_phrase_has_a_seg_for_each_mask() -> None:
    people = multiple(View(traffic()), "person")
    assert people is not None
    bare = without_phrase(people)
    assert bare.answer == "[SEG] [SEG]"
    assert (bare.instruction, bare.masks) == (people.instruction, people.masks)


@pytest.mark.parametrize("task", NAMED)
def test_a_refusal_stays(task: Task) -> None:
    entry = Conversation(task, "Segment the zebra.", refusal("zebra"))
    assert without_phrase(entry) is entry


def test_only_the_phrases_of_named_tasks_are_lost() -> None:
    before = drawn()
    with composing(without_phrase):
        after = drawn()
    assert source.conversations is conversations
    assert [(entry.task, entry.instruction, len(entry.masks)) for entry in before] == [
        (entry.task, entry.instruction, len(entry.masks)) for entry in after
    ]
    lost = [one.task for one, two in zip(before, after, strict=True) if one.answer != two.answer]
    assert set(lost) == set(NAMED)
    assert len(lost) == sum(entry.task in NAMED and bool(entry.masks) for entry in before)


def test_only_fine_grained_answers_are_left_out() -> None:
    before = [entry.answer for entry in drawn() if entry.task != Task.FINE_SEGCAP]
    with composing(without_parts):
        after = drawn()
    assert [entry.answer for entry in after] == before
    assert len(before) < len(drawn())


def test_nothing_is_lost_unchanged() -> None:
    before = [entry.answer for entry in drawn()]
    with composing(unchanged):
        assert [entry.answer for entry in drawn()] == before


def test_the_recipe_is_valid(tmp_path: Path) -> None:
    made = Recipe.model_validate(recipe(tmp_path, tmp_path, 400))
    assert made.steps == 400
    assert made.start.model == str(tmp_path / "start")


def test_runs_by_another_recipe_are_refused(tmp_path: Path) -> None:
    write_recipe(tmp_path, tmp_path, 400)
    assert write_recipe(tmp_path, tmp_path, 400) == tmp_path / "recipe.yaml"
    with pytest.raises(UsageError, match="another recipe"):
        write_recipe(tmp_path, tmp_path, 500)


def test_the_start_has_one_token_for_a_cell_of_the_coarsest_level() -> None:
    config = start_config()
    assert config.global_encoder.tokens == (config.pixel_encoder.image_size // 32) ** 2


def test_a_start_that_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "start").mkdir()
    make_start(tmp_path)
    assert not list((tmp_path / "start").iterdir())
