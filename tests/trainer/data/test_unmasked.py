"""What is learned from photographs that have captions only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from engine.text.grammar import SEG, parse
from trainer.data.compose.conversation import Conversation
from trainer.data.compose.unmasked import unmasked_chat, unmasked_grounded, unmasked_panoptic, unmasked_refer
from trainer.data.compose.view import View
from trainer.data.compose.words import other_names
from trainer.data.scene import Scene

DOG = (
    "A brown dog sits on a couch.",
    "A dog on something soft.",
    "The dog looks at two people.",
    "Two men watch a puppy.",
    "A dog indoors.",
)


def _view(captions: Sequence[str]) -> View:
    return View(Scene("1.jpg", "captions", np.zeros((8, 8, 3), np.uint8), (), tuple(captions)))


def _asked(maker: object, captions: Sequence[str], draws: int = 200) -> list[Conversation]:
    view = _view(captions)
    made = [maker(view, np.random.default_rng(draw)) for draw in range(draws)]  # type: ignore[operator]
    return [entry for entry in made if entry is not None]


def _refusals(entries: Sequence[Conversation]) -> list[str]:
    return [entry.answer for entry in entries if "Sorry" in entry.answer or entry.answer.startswith("No,")]


def test_what_two_captions_name_is_there_and_its_mask_unknown() -> None:
    affirmed = {entry.answer: entry for entry in _asked(unmasked_refer, DOG) if SEG in entry.answer}
    assert set(affirmed) == {"<p> the dog </p> [SEG]"}
    (entry,) = affirmed.values()
    assert entry.masks == (None,)
    with pytest.raises(ValueError, match="not known"):
        _ = entry.known_masks


def test_only_what_no_caption_may_mean_is_denied() -> None:
    denied = " ".join(_refusals(_asked(unmasked_refer, DOG)) + _refusals(_asked(unmasked_chat, DOG)))
    assert "zebra" in denied or "train" in denied
    # One caption names the couch, and a bed or a bench may pass for it.
    assert not any(word in denied for word in ("dog", "couch", "bed "))


def test_one_caption_alone_says_nothing() -> None:
    assert not _asked(unmasked_refer, ["A train at a station."])
    assert not _asked(unmasked_refer, [])


def test_several_of_a_kind_are_not_referred_to_as_one() -> None:
    answers = {entry.answer for entry in _asked(unmasked_refer, ["Two dogs play.", "A dog and a dog.", "Dogs run."])}
    assert not any(SEG in answer for answer in answers)


def test_refusals_do_not_prevail() -> None:
    entries = _asked(unmasked_refer, DOG, draws=1000)
    assert 0.3 < len(_refusals(entries)) / len(entries) < 0.5


@pytest.mark.parametrize(
    ("caption", "answer"),
    [
        ("Two dogs and a cat sleep.", "<p> Two dogs </p> [SEG] [SEG] and <p> a cat </p> [SEG] sleep."),
        ("A man near some dogs.", "<p> A man </p> [SEG] near some dogs."),  # no one knows how many
    ],
)
def test_a_caption_is_tagged_where_it_says_how_many(caption: str, answer: str) -> None:
    (entry,) = {entry.answer: entry for entry in _asked(unmasked_grounded, [caption], 5)}.values()
    assert entry.answer == answer
    assert entry.masks == (None,) * parse(answer).seg_count


def test_a_caption_that_names_nothing_is_not_tagged() -> None:
    assert not _asked(unmasked_grounded, ["A quiet place.", "Some dogs run."])


def test_the_whole_scene_is_what_two_captions_name() -> None:
    captions = ("A guitar and a dog on a stage.", "A man with a dog and his guitar.", "Dogs by a guitar.", "A guitar.")
    (answer,) = {entry.answer for entry in _asked(unmasked_panoptic, captions)}
    assert answer == "The image shows <p> a guitar </p> [SEG] and <p> a dog </p> [SEG]."
    (answer,) = {entry.answer for entry in _asked(unmasked_panoptic, ("Two horses.", "Two brown horses.", "People."))}
    assert answer == "The image shows <p> horses </p> [SEG]."
    assert not _asked(unmasked_panoptic, ("A guitar.", "A dog."))


def test_names_of_imagenet_are_read_where_they_are_things() -> None:
    assert other_names("Two guitars, a space shuttle and a street sign") == {"guitar", "space shuttle", "street sign"}
    # A class of COCO is no other name; a guitar case is no guitar; one swings a bat and watches.
    assert other_names("A dog near a guitar case, a man who can swing, watch and fly") == set()
