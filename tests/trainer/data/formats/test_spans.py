"""Captions whose phrases are ranges of characters."""

from __future__ import annotations

import pytest

from engine.masks.rle import from_coco
from engine.records import RLE
from tests.trainer.data.formats.made import box, rle
from trainer.data.formats.asking import Target
from trainer.data.formats.base import Skipped
from trainer.data.formats.spans import Grounding, parts_of, place

LEFT = from_coco(rle(box(0, 0, 4, 4)))
RIGHT = from_coco(rle(box(0, 10, 4, 14)))


def parts(caption: str, *groundings: tuple[int, int, RLE]) -> tuple[list[str | Target], Skipped]:
    skipped = Skipped()
    return parts_of(caption, [Grounding(*one) for one in groundings], "here", skipped), skipped


def test_equal_ranges_are_one_phrase_with_its_masks_from_left_to_right() -> None:
    found, skipped = parts("Two dogs run.", (0, 8, RIGHT), (0, 8, LEFT))
    assert found == ["", Target("Two dogs", (LEFT, RIGHT)), " run."]
    assert not skipped.total


def test_a_phrase_ends_where_the_next_begins() -> None:
    found, skipped = parts("a man with a hat", (0, 16, LEFT), (11, 16, RIGHT))
    assert found == ["", Target("a man with ", (LEFT,)), "", Target("a hat", (RIGHT,)), ""]
    assert not skipped.total


def test_a_phrase_of_which_nothing_is_left_is_noted() -> None:
    found, skipped = parts("a man with a hat", (0, 5, LEFT), (0, 16, RIGHT))
    assert found == ["", Target("a man with a hat", (RIGHT,)), ""]
    assert skipped.reasons() == [("a phrase that begins another", 1, ("here",))]


def test_a_caption_without_phrases_is_text() -> None:
    assert parts("a calm day")[0] == ["a calm day"]


@pytest.mark.parametrize(
    ("caption", "phrase", "span", "expected"),
    [
        ("a dog and a dog", "a dog", [10, 15], (10, 15)),
        ("a dog and a dog", "a dog", None, (0, 5)),
        ("a dog and a dog", "a dog", [3, 8], (0, 5)),
        ("a dog and a dog", "a dog", [-1, -1], (0, 5)),
        ("a woman and a man", "man", [4, 7], (14, 17)),
        ("A Man.", "a man", ["0", 5], (0, 5)),
    ],
)
def test_a_phrase_is_found_as_words_of_its_own(
    caption: str, phrase: str, span: object, expected: tuple[int, int]
) -> None:
    assert place(caption, phrase, span) == expected


@pytest.mark.parametrize("phrase", ["man", "  "])
def test_a_phrase_that_is_not_there_is_told(phrase: str) -> None:
    with pytest.raises(ValueError, match="phrase"):
        place("a woman", phrase, [2, 5])


@pytest.mark.parametrize("span", [[10**400, 5], [-1, 2], [99, 100], ["4", "7"], [None], [], {}, "47", None])
def test_a_range_that_is_none_is_not_believed(span: object) -> None:
    assert place("See the dog.", "the dog", span) == (4, 11)
