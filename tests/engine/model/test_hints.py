"""The names that a backbone's own classifier gives, as rows of word embeddings."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from engine.model.config import HintsConfig
from engine.model.hints import NameHints
from engine.model.pixel_features import ClassFeatures

CONFIG = HintsConfig(classes=5, names=3, count=2, tokens=2)


@pytest.fixture
def hints() -> NameHints:
    """Classes 0 and 1 are name 0, classes 2 and 3 names 1 and 2, class 4 has none."""
    found = NameHints(CONFIG, hidden=8)
    found.name_of_class.copy_(torch.tensor([0, 0, 1, 2, 3]))
    found.name_ids.copy_(torch.tensor([[1, 2], [3, 0], [4, 5]]))
    return found


def seen(*classes: int, rows: int = 12) -> ClassFeatures:
    """A photograph of 12 x `rows` cells whose columns show these classes, side by side; below it is padding."""
    logits = torch.zeros(1, 5, 12, 12)
    for place, number in enumerate(classes):
        width = 12 // len(classes)
        logits[:, number, :, place * width : (place + 1) * width] = 20.0
    inside = torch.zeros(1, 1, 12, 12)
    inside[:, :, :rows] = 1.0
    logits[:, 3, rows:] = 50.0  # what padding looks like must not count
    return ClassFeatures(torch.zeros(1, 1, 12, 12), logits, inside)


def test_classes_of_one_name_count_together_and_nameless_ones_do_not(hints: NameHints) -> None:
    scores = hints.scores(seen(0, 1, 2))
    assert scores.shape == (1, 3)
    assert scores[0, 0] > scores[0, 1] > 0.1 > scores[0, 2]
    assert hints.scores(seen(4)).max() < 1e-6


def test_padding_is_not_looked_at(hints: NameHints) -> None:
    assert hints.scores(seen(2, rows=7))[0].argmax() == 1
    assert hints.scores(seen(2, rows=7))[0, 2] < 0.1


def test_the_likeliest_names_stand_as_their_words(hints: NameHints) -> None:
    table = nn.Embedding(6, 8)
    nn.init.zeros_(hints.certainty.weight)
    nn.init.zeros_(hints.certainty.bias)
    rows = hints(seen(2, 2, 0), table)
    torch.testing.assert_close(rows, table(torch.tensor([[3, 0, 1, 2]])))
