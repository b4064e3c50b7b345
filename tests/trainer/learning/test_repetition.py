"""Names that an answer has used up."""

from __future__ import annotations

import pytest
import torch

from engine.model.checkpoint import load
from engine.model.tokenizers import TextTokenizer
from trainer.learning.repetition import UsedNames, repetition_loss


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    return load("nano").tokenizer


def _denied(tokenizer: TextTokenizer, answer: str, question: str = "") -> dict[str, set[str]]:
    """The word that stands at a place, and what must not."""
    before, ids = tokenizer.encode(question), tokenizer.encode(answer)
    learned = [False] * len(before) + [True] * len(ids)
    found: dict[str, set[str]] = {}
    whole = [*before, *ids]
    for place, name in UsedNames(tokenizer).find(whole, learned):
        found.setdefault(tokenizer.decode([whole[place]]), set()).add(tokenizer.decode([name]))
    return found


def test_a_name_must_not_come_again_in_a_later_phrase(tokenizer: TextTokenizer) -> None:
    answer = "The image shows <p> two red bottles </p> [SEG], <p> a cat </p> [SEG] and <p> a dog </p> [SEG]."
    found = _denied(tokenizer, answer)
    assert found["cat"] == {"bottle", "bottles"}
    assert found["dog"] == {"bottle", "bottles", "cat", "cats"}
    # Colours, counts and articles may come again.
    assert not {"two", "red", "a"} & set().union(*found.values())
    assert "bottles" not in found and "image" not in found


def test_what_the_answer_says_again_is_no_repetition(tokenizer: TextTokenizer) -> None:
    found = _denied(tokenizer, "<p> a dog </p> [SEG], <p> a cat </p> [SEG] and <p> a dog </p> [SEG]")
    assert "dog" not in set().union(*found.values())
    assert found["dog"] == {"cat", "cats"}


def test_answers_are_apart_and_questions_say_what_they_want(tokenizer: TextTokenizer) -> None:
    first = tokenizer.encode("<p> a dog </p> [SEG]")
    question = tokenizer.encode("Where is <p> a cat </p>?")
    second = tokenizer.encode("<p> a cat </p> [SEG]")
    learned = [True] * len(first) + [False] * len(question) + [True] * len(second)
    assert UsedNames(tokenizer).find([*first, *question, *second], learned) == []


def test_the_loss_is_the_unlikelihood_of_what_must_not_be_said() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]))
    found = repetition_loss(logits, torch.tensor([0, 1]), torch.tensor([1, 2]))
    torch.testing.assert_close(found, -(torch.tensor(0.75).log() + torch.tensor(0.2).log()) / 2)
    none = torch.zeros(0, dtype=torch.long)
    assert repetition_loss(logits, none, none) == 0
