"""What a recipe names is opened, and fits the model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.errors import UsageError
from tests.engine.tiny import TINY
from tests.trainer.data.recording import ENDLESS
from tests.trainer.making import recipe
from trainer.learning.examples import open_examples
from trainer.recipe import read_recipe


def test_records_are_worded_for_the_model(tmp_path: Path) -> None:
    examples = open_examples(read_recipe(recipe(tmp_path)))
    assert examples.mixture(TINY, ENDLESS).pools
    with pytest.raises(UsageError, match="worded for the template nano, the model has llava_v1"):
        examples.mixture(TINY.model_copy(update={"template": "llava_v1"}), ENDLESS)


def test_templates_of_one_family_share_records(tmp_path: Path) -> None:
    made = recipe(tmp_path)
    info = tmp_path / "records" / "uscdf.json"
    info.write_text(json.dumps(json.loads(info.read_text()) | {"template": "lisa"}))
    assert open_examples(read_recipe(made)).mixture(TINY.model_copy(update={"template": "llava_v1"}), ENDLESS).pools
