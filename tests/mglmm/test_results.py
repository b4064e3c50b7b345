"""Records as results."""

from __future__ import annotations

import copy
import pickle

import numpy as np

from engine.masks.rle import area, bbox, encode
from engine.records import Mask, PhotoRecord, SegCap
from engine.records import Parent as ParentRecord
from engine.text.grammar import parse
from mglmm.results import Parent, Result, result_of

# Of the words before, between and behind the tags.
NAMED = [[0.1], [0.5], [], [0.2], [0.25, 1.0], [], [], [0.3], [0.75], []]


def _made(pixels: np.ndarray) -> Result:
    masks = np.arange(4)[:, None, None] * 300 > np.arange(1200).reshape(30, 40)
    first = parse("A <p> dog </p> [SEG] and <p> two cats </p> [SEG] [SEG], but <p> no cow </p>.", NAMED)
    second = parse("The cat's <p> tail </p> [SEG].")
    found = [Mask(rle, area(rle), bbox(rle), 0.5) for rle in encode(masks)]
    segcaps = (
        SegCap("panoptic", "What is there?", first, tuple(found[:3])),
        SegCap("fine", "Describe the cats.", second, (found[3],), ParentRecord(0, 2), truncated=True),
    )
    return result_of(PhotoRecord("a/b.jpg", 40, 30, segcaps), 7, pixels, 10**6)


def test_every_mask_is_with_its_phrase(pixels: np.ndarray) -> None:
    result = _made(pixels)
    panoptic, fine = result.answers
    assert [(phrase.text, len(phrase.masks)) for phrase in panoptic.phrases] == [
        ("dog", 1),
        ("two cats", 2),
        ("no cow", 0),
    ]
    assert [int(mask.sum()) for phrase in panoptic.phrases for mask in phrase.masks] == [0, 300, 600]
    assert [phrase.name_score for phrase in panoptic.phrases] == [0.5, 0.25, 0.75]
    assert fine.phrases[0].name_score is None
    assert panoptic.phrases[0].scores == (0.5,) and panoptic.parent is None
    assert panoptic.caption[slice(*panoptic.phrases[1].span)] == "two cats"
    assert fine.truncated and fine.question == "Describe the cats."
    assert fine.raw == "The cat's <p> tail </p> [SEG]."


def test_a_parent_leads_to_its_mask(pixels: np.ndarray) -> None:
    result = _made(pixels)
    parent = result.answers[1].parent
    assert parent == Parent(answer=0, phrase=1, mask=1)
    assert result.answers[parent.answer].phrases[parent.phrase].masks[parent.mask].sum() == 600


def test_results_are_shown_briefly_and_can_be_sent_to_other_processes(pixels: np.ndarray) -> None:
    result = _made(pixels)
    assert repr(result).startswith("Result(index=7, name='a/b.jpg', height=30, width=40, answers=(Answer(")
    assert result.answers[0].phrases[2].text in repr(result) and result.answers[1].phrases[0].rles[
        0
    ].counts not in repr(result)
    for same in (pickle.loads(pickle.dumps(result)), copy.deepcopy(result)):
        assert same == result
        assert same.draw().tobytes() == result.draw().tobytes()
