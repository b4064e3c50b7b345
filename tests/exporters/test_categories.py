"""The head of a phrase, and a name for any phrase at all."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.categories import category_ids, category_name


@pytest.mark.parametrize(
    ("phrase", "name"),
    [
        ("the man riding a bike", "man"),
        ("Two red apples", "apple"),
        ("a large white dog.", "dog"),
        ("black and white dog", "dog"),
        ("the left cup", "cup"),
        ("12 cups", "cup"),
        ("traffic light", "traffic light"),
        ("a wooden dining table", "wooden dining table"),
        ("a t-shirt", "t-shirt"),
        # behind the noun
        ("the person in the red shirt on the left", "person"),
        ("the building behind it", "building"),
        ("a man dressed in black", "man"),
        ("a woman who smiles", "woman"),
        ("a person wearing sunglasses", "person"),
        ("a man, a woman", "man"),
        ("the top of the table", "top"),
        # a quantity is no thing
        ("a group of people", "person"),
        ("a pair of black shoes", "shoe"),
        ("one of the men", "man"),
        # nor is an owner
        ("the woman's red dress", "dress"),
        ("the man’s hand holding a cup", "hand"),
        # never without a noun
        ("an orange", "orange"),
        ("the red", "red"),
        ("the building", "building"),
        ("a bed", "bed"),
        ("", "object"),
        ("  ...", "object"),
        ("the", "object"),
        ("它的狗", "它的狗"),
    ],
)
def test_heads(phrase: str, name: str) -> None:
    assert category_name(phrase) == name


words = st.sampled_from("the a two red big of and in riding dressed man man's , group dog . pair on left".split())


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40) | st.lists(words, max_size=12).map(" ".join))
def test_every_phrase_has_a_short_name(phrase: str) -> None:
    name = category_name(phrase)
    assert name and name == name.strip() == name.lower()
    assert len(name.split(" ")) <= 3
    assert category_name(phrase.upper().lower()) == category_name(phrase.upper())


def test_ids_depend_on_the_names_alone() -> None:
    names = ["man", "Äpfel", "dog", "man", "traffic light"]
    assert (
        category_ids(names) == category_ids(iter(names[::-1])) == {"dog": 1, "man": 2, "traffic light": 3, "Äpfel": 4}
    )
