from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import UsageError
from trainer.metrics.similarity import MAX_TOKENS, TextModel, similarity_matrix

LoadJson = Callable[[str], Any]


@pytest.fixture(scope="module")
def model(text_model_folder: Path) -> TextModel:
    return TextModel(text_model_folder)


def test_check_pairs(model: TextModel, load_json: LoadJson) -> None:
    for pair in load_json("mgsc/expected.json")["text_model"]["check_pairs"]:
        assert similarity_matrix(model, [pair["a"]], [pair["b"]])[0, 0] == pytest.approx(pair["cosine"], abs=1e-6), pair


def test_company_does_not_matter(model: TextModel, text_model_folder: Path) -> None:
    texts = ["person", "a much longer phrase about a person on the left", "", "person", "dining table"]
    together = model.encode(texts)
    assert together.shape == (5, 384)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0)
    np.testing.assert_array_equal(together[0], together[3])
    alone = TextModel(text_model_folder, batch=1)
    np.testing.assert_allclose(together, np.concatenate([alone.encode([text]) for text in texts]), atol=1e-6)


def test_long_text_is_read_up_to_the_limit(model: TextModel) -> None:
    words = ["dog"] * (MAX_TOKENS - 2)  # two more are special
    full, over, short = model.encode([" ".join(words), " ".join([*words, "car"]), " ".join(words[:200])])
    assert full @ over == pytest.approx(1.0, abs=1e-6)
    assert full @ short < 0.9999  # nothing was cut at 128


def test_no_texts(model: TextModel) -> None:
    assert similarity_matrix(model, [], ["a", "b"]).shape == (0, 2)
    assert model.encode([]).shape == (0, 384)


def test_a_bad_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        TextModel(tmp_path / "missing")
    with pytest.raises(UsageError, match="can't load"):
        TextModel(tmp_path)
