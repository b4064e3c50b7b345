"""Comparison of records."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.bench.agreement import compare
from engine.masks import rle
from engine.records import Mask, PhotoRecord, SegCap
from engine.text.grammar import parse


def _record(text: str, covered: int) -> PhotoRecord:
    """One answer with one mask, whose first `covered` of 100 pixels are set."""
    pixels = (np.arange(100) < covered).reshape(1, 10, 10)
    (encoded,) = rle.encode(pixels)
    mask = Mask(encoded, covered, rle.bbox(encoded), 1.0)
    return PhotoRecord("a.jpg", 10, 10, (SegCap("panoptic", "What?", parse(text), (mask,)),))


def test_equal_records_agree() -> None:
    record = _record("<p> a cup </p> [SEG]", 40)
    found = compare([(record, record)] * 2)
    assert (found.texts, found.same_texts, found.masks, found.mask_agreement) == (2, 2, 2, 1.0)
    assert found.same_text


def test_the_worst_mask_counts() -> None:
    record = _record("<p> a cup </p> [SEG]", 40)
    others = (record, _record("<p> a cup </p> [SEG]", 43), _record("<p> a cup </p> [SEG]", 41))
    assert compare((record, other) for other in others).mask_agreement == 0.97


def test_another_text_is_told_and_its_masks_are_left_alone() -> None:
    found = compare([(_record("<p> a cup </p> [SEG]", 40), _record("<p> a mug </p> [SEG]", 90))])
    assert (found.texts, found.same_texts, found.masks, found.mask_agreement) == (1, 0, 0, None)
    assert not found.same_text


def test_another_question_and_a_missing_answer_are_told() -> None:
    record = _record("<p> a cup </p> [SEG]", 40)
    (segcap,) = record.segcaps
    longer = replace(record, segcaps=(segcap, segcap))
    reworded = replace(record, segcaps=(replace(segcap, instruction="Why?"),))
    assert compare([(record, longer)]).same_texts == 1
    assert not compare([(record, longer)]).same_text
    assert not compare([(record, reworded)]).same_text
