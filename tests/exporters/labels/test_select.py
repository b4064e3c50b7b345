"""Which masks become labels, and what stays of the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine.journal import to_json
from engine.masks import rle
from engine.records import Mask, Parent, PhotoRecord, SegCap
from engine.text.grammar import parse
from exporters.categories import category_name
from exporters.labels.filters import Filters
from exporters.labels.plural import is_plural
from exporters.labels.select import Selected, select

SIZE = 40


def mask(*boxes: tuple[int, int, int, int], score: float = 0.5) -> Mask:
    """A mask of boxes `top, left, height, width`."""
    pixels = np.zeros((SIZE, SIZE), bool)
    for top, left, height, width in boxes:
        pixels[top : top + height, left : left + width] = True
    [encoded] = rle.encode(pixels[None])
    return Mask(encoded, rle.area(encoded), rle.bbox(encoded), score if boxes else 0.0)


MAN, CLOSE, HAT = (0, 0, 20, 20), (0, 0, 20, 13), (0, 0, 5, 20)


def scene(*answers: SegCap) -> dict[str, Any]:
    return to_json(PhotoRecord("a.jpg", SIZE, SIZE, answers))


def panoptic(text: str, *masks: Mask) -> SegCap:
    return SegCap("panoptic", "Describe all.", parse(text), masks)


def fine(text: str, *masks: Mask) -> SegCap:
    return SegCap("fine", "Describe it.", parse(text), masks, Parent(0, 0))


def chosen(photograph: dict[str, Any], **filters: Any) -> Selected:
    return select(photograph, Filters(**filters), category_name)


def test_the_subject_of_a_fine_grained_answer_is_a_link_even_where_it_scores_higher() -> None:
    found = chosen(
        scene(
            panoptic("<p> A man </p> [SEG]", mask(MAN, score=0.4)),
            fine("<p> The man </p> [SEG] has <p> a hat </p> [SEG]", mask(CLOSE, score=0.9), mask(HAT, score=0.9)),
        )
    )
    assert [label.place for label in found.labels] == [(0, 0), (1, 1)]
    assert found.instead == {(0, 0): (0, 0), (1, 0): (0, 0), (1, 1): (1, 1)}
    man, hat = found.labels
    assert man.phrases == ("A man", "The man") and man.parent is None
    assert hat.parent == (0, 0) and hat.number == 2


def test_a_part_of_another_kind_that_overlaps_as_much_is_no_link() -> None:
    found = chosen(scene(panoptic("<p> A man </p> [SEG]", mask(MAN)), fine("<p> a coat </p> [SEG]", mask(CLOSE))))
    assert [label.parent for label in found.labels] == [None, (0, 0)]


def test_of_two_masks_of_one_thing_the_likelier_stays_with_all_phrases() -> None:
    photograph = scene(
        panoptic("<p> a man </p> [SEG] <p> a person </p> [SEG]", mask(MAN, score=0.4), mask(MAN, score=0.8))
    )
    [label] = chosen(photograph).labels
    assert label.phrase == "a person" and label.phrases == ("a man", "a person") and label.number == 1
    assert len(chosen(photograph, nms=None).labels) == 2


def test_an_answer_about_a_mask_that_gave_way_is_about_what_stays() -> None:
    found = chosen(
        scene(
            panoptic("<p> a man </p> [SEG] <p> a person </p> [SEG]", mask(MAN, score=0.4), mask(MAN, score=0.8)),
            fine("<p> a hat </p> [SEG]", mask(HAT)),
        )
    )
    assert [(label.place, label.parent) for label in found.labels] == [((0, 1), None), ((1, 0), (0, 1))]


@pytest.mark.parametrize(
    ("filters", "why"), [({"min_area": 401}, "area"), ({"min_score": 0.51}, "score"), ({"min_part": 401}, "empty")]
)
def test_what_is_left_out_says_why_and_is_nobodys_parent(filters: dict[str, Any], why: str) -> None:
    found = chosen(
        scene(
            panoptic("<p> a man </p> [SEG]", mask(MAN)),
            fine("<p> a hat </p> [SEG]", replace(mask((10, 10, 30, 30)), score=0.9)),
        ),
        **filters,
    )
    assert found.left_out == {(0, 0): why}
    assert [(label.place, label.parent) for label in found.labels] == [((1, 0), None)]


def test_specks_go_and_area_and_box_follow() -> None:
    [label] = chosen(scene(panoptic("<p> a man </p> [SEG]", mask(MAN, (30, 30, 2, 2)))), min_part=5).labels
    assert label.area == 400 and label.bbox == (0.0, 0.0, 20.0, 20.0)


@pytest.mark.parametrize(("groups", "areas"), [("keep", [20, 9]), ("split", [16, 4, 9]), ("drop", [9])])
def test_groups(groups: str, areas: list[int]) -> None:
    photograph = scene(
        panoptic(
            "<p> two dogs </p> [SEG] <p> a cat </p> [SEG]",
            mask((0, 0, 2, 2), (10, 10, 4, 4)),
            mask((30, 30, 3, 3)),
        )
    )
    labels = chosen(photograph, groups=groups).labels
    assert [label.area for label in labels] == areas
    assert any(label.group for label in labels) == (groups == "keep")
    assert len({(label.number, label.part) for label in labels}) == len(labels)


def test_several_masks_of_a_plural_are_things_of_their_own() -> None:
    masks = mask((0, 0, 2, 2)), mask((10, 10, 4, 4))
    assert not any(label.group for label in chosen(scene(panoptic("<p> two dogs </p> [SEG] [SEG]", *masks))).labels)


@pytest.mark.parametrize("phrase", ["two dogs", "The people", "several books", "a group of men", "bananas", "12 cups"])
def test_plurals(phrase: str) -> None:
    assert is_plural(phrase)


@pytest.mark.parametrize(
    "phrase", ["a bus", "The grass", "sunglasses", "black jeans", "a man", "one dog", "", "a vase"]
)
def test_no_plurals(phrase: str) -> None:
    assert not is_plural(phrase)
