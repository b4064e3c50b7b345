"""The public form of a photograph comes back exactly."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.journal import dump, from_json, load, to_json, to_line
from engine.journal.form import is_photograph
from engine.records import RLE, Failure, Mask, Parent, PhotoRecord, SegCap
from engine.text.grammar import parse
from engine.text.names import from_text, to_text

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.binary(min_size=1, max_size=20).map(to_text)
# As Python has bytes of a name that are no UTF-8.
halves = st.text(
    st.characters(exclude_categories=["Cs"]) | st.integers(0xDC80, 0xDCFF).map(chr), min_size=1, max_size=20
)
finite = st.floats(allow_nan=False, allow_infinity=False)
masks = st.builds(
    Mask,
    rle=st.builds(RLE, st.integers(1, 9000), st.integers(1, 9000), st.text(st.characters(codec="ascii"), max_size=20)),
    area=st.integers(0, 10**8),
    bbox=st.tuples(finite, finite, finite, finite),
    score=finite,
)


@st.composite
def segcaps(draw: st.DrawFn) -> SegCap:
    answer = parse(draw(st.lists(texts | st.sampled_from(["<p> a cat </p>", "[SEG]", " "]), max_size=8).map("".join)))
    return SegCap(
        granularity=draw(st.sampled_from(["panoptic", "fine", "custom"])),
        instruction=draw(texts),
        answer=answer,
        masks=tuple(draw(masks) for _ in range(answer.seg_count)),
        parent=draw(st.none() | st.builds(Parent, st.integers(0, 9), st.integers(0, 9))),
        truncated=draw(st.booleans()),
    )


records = st.builds(
    PhotoRecord, names, st.integers(1, 9000), st.integers(1, 9000), st.lists(segcaps(), max_size=3).map(tuple)
)
failures = st.builds(Failure, names, st.sampled_from(["open", "decode", "model"]), texts)


@settings(max_examples=100, deadline=None)
@given(records | failures)
def test_a_line_comes_back_exactly(entry: PhotoRecord | Failure) -> None:
    line = to_line(entry)
    assert line.isascii() and line.count("\n") == 1 and line.endswith("\n")
    assert from_json(json.loads(line)) == entry
    assert from_json(load(line.encode())) == entry
    # The parents here are any numbers.
    if isinstance(entry, Failure) or not any(segcap.parent for segcap in entry.segcaps):
        assert is_photograph(load(line.encode()))
    assert orjson.loads(line) == json.loads(line)  # strictly UTF-8


@given(st.recursive(texts | halves | finite | st.integers(-(2**63), 2**64 - 1) | st.none(), st.lists))
def test_json_is_printable_ascii_and_comes_back(value: object) -> None:
    text = dump(value)
    assert all(32 <= byte < 127 for byte in text)
    assert load(text) == json.loads(text) == value


@given(halves)
def test_a_name_leaves_as_text_whoever_has_made_the_record(name: str) -> None:
    line = to_line(Failure(name, "open", "no such file"))
    assert from_text(orjson.loads(line)["file_name"]) == from_text(name)


def cat(file_name: str = "a/b.jpg") -> PhotoRecord:
    mask = Mask(RLE(2, 3, "06"), 6, (0.0, 0.0, 3.0, 2.0), 0.5)
    fine = SegCap("fine", "Describe a cat.", parse("An ear."), (), Parent(0, 0), truncated=True)
    return PhotoRecord(
        file_name, 3, 2, (SegCap("panoptic", "Describe.", parse("<p> A cat </p> [SEG]."), (mask,)), fine)
    )


def test_the_public_form() -> None:
    assert to_json(cat()) == {
        "file_name": "a/b.jpg",
        "width": 3,
        "height": 2,
        "segcaps": [
            {
                "granularity": "panoptic",
                "instruction": "Describe.",
                "caption": "A cat.",
                "answer": "<p> A cat </p> [SEG].",
                "phrases": [{"text": "A cat", "span": [0, 5], "segs": [0]}],
                "masks": [
                    {
                        "segmentation": {"size": [2, 3], "counts": "06"},
                        "area": 6,
                        "bbox": [0.0, 0.0, 3.0, 2.0],
                        "score": 0.5,
                    }
                ],
                "parent": None,
                "truncated": False,
            },
            {
                "granularity": "fine",
                "instruction": "Describe a cat.",
                "caption": "An ear.",
                "answer": "An ear.",
                "phrases": [],
                "masks": [],
                "parent": {"segcap": 0, "seg": 0},
                "truncated": True,
            },
        ],
    }


def test_a_name_score_is_beside_its_phrase_and_may_be_missing() -> None:
    answer = parse("<p> A cat </p> [SEG] [SEG].", [[], [0.5, 0.75], [], [], []])
    (phrase,) = answer.phrases
    assert phrase.name_score == 0.375
    mask = cat().segcaps[0].masks[0]
    record = PhotoRecord("a.jpg", 3, 2, (SegCap("panoptic", "Describe.", answer, (mask, mask)),))
    form = to_json(record)
    assert form["segcaps"][0]["phrases"] == [{"text": "A cat", "span": [0, 5], "segs": [0, 1], "name_score": 0.375}]
    assert is_photograph(form) and from_json(form) == record
    for nothing in ({"name_score": None}, {}):
        older = {"text": "A cat", "span": [0, 5], "segs": [0, 1], **nothing}
        form["segcaps"][0]["phrases"] = [older]
        assert is_photograph(form)
        found = from_json(form)
        assert isinstance(found, PhotoRecord) and found.segcaps[0].answer.phrases[0].name_score is None
    unknown = SegCap("panoptic", "Describe.", parse(answer.raw, [[], [math.nan], [], [], []]), (mask, mask))
    with pytest.raises(ValueError, match="name score nan"):
        to_json(PhotoRecord("a.jpg", 3, 2, (unknown,)))


def test_a_failure_has_the_keys_of_the_others() -> None:
    failed = to_json(Failure("a.jpg", "open", "the file is empty"), "photos/a.jpg")
    assert failed == {
        "file_name": "a.jpg",
        "path": "photos/a.jpg",
        "width": 0,
        "height": 0,
        "segcaps": [],
        "failure": {"stage": "open", "reason": "the file is empty"},
    }
    assert [*failed] == [*to_json(cat(), "photos/a/b.jpg"), "failure"]


@pytest.mark.parametrize(
    ("change", "value"),
    [
        (["file_name"], 7),
        (["width"], None),
        (["height"], 2.5),
        (["segcaps"], {}),
        (["segcaps"], None),
        (["segcaps", 0], []),
        (["segcaps", 0, "granularity"], "minute"),
        (["segcaps", 0, "caption"], None),
        (["segcaps", 0, "truncated"], "no"),
        (["segcaps", 0, "phrases", 0, "span"], [0]),
        (["segcaps", 0, "phrases", 0, "span"], ["0", "5"]),
        (["segcaps", 0, "phrases", 0, "segs"], [1]),
        (["segcaps", 0, "phrases", 0, "name_score"], "high"),
        (["segcaps", 0, "phrases"], []),
        (["segcaps", 0, "masks"], []),
        (["segcaps", 0, "masks", 0, "segmentation"], "06"),
        (["segcaps", 0, "masks", 0, "segmentation", "size"], [2]),
        (["segcaps", 0, "masks", 0, "segmentation", "counts"], [0, 6]),
        (["segcaps", 0, "masks", 0, "bbox"], ["a", "b", "c", "d"]),
        (["segcaps", 0, "masks", 0, "score"], None),
        (["segcaps", 1, "parent"], {"segcap": 0}),
        (["segcaps", 1, "parent", "segcap"], 5),
        (["segcaps", 1, "parent", "segcap"], -1),
        (["segcaps", 1, "parent", "seg"], 1),
        (["failure"], "why"),
        (["failure"], {"stage": "open"}),
    ],
)
def test_another_form_is_none(change: list[Any], value: object) -> None:
    form: Any = to_json(cat())
    assert is_photograph(form)
    *way, last = change
    at = form
    for step in way:
        at = at[step]
    at[last] = value
    assert not is_photograph(form)


@pytest.mark.parametrize("form", [None, 7, "failure", [], {}, {"failure": None}])
def test_what_is_no_form_is_none(form: object) -> None:
    assert not is_photograph(form)


def test_keys_that_are_not_known_are_left_aside() -> None:
    form = {**to_json(cat()), "licence": "CC0"}
    assert is_photograph(form) and from_json(form) == cat()
    old = {"file_name": "a.jpg", "failure": {"stage": "open", "reason": "the file is empty"}}
    assert is_photograph(old) and from_json(old) == Failure("a.jpg", "open", "the file is empty")


def test_numbers_that_json_does_not_know_are_refused() -> None:
    mask = Mask(RLE(2, 3, "06"), 6, (0.0, 0.0, 3.0, 2.0), math.nan)
    record = PhotoRecord("a.jpg", 3, 2, (SegCap("custom", "", parse("[SEG]"), (mask,)),))
    with pytest.raises(ValueError):
        to_line(record)
