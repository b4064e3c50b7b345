"""What is written is read back exactly, and a cut line costs one photograph."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import MglmmError, UsageError
from engine.grammar import parse
from engine.journal import JournalWriter, RunInfo, from_json, read_info, read_journal, to_json, to_line
from engine.records import RLE, Failure, Mask, Parent, PhotoRecord, SegCap

INFO = RunInfo("mglmm 1.0", "nano", "ab12", {"batch": 4, "question": None}, "2026-01-01T00:00:00+00:00")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
# Bytes that are no UTF-8 reach a name as these lone surrogates.
names = st.text(
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
    assert to_json(Failure("a.jpg", "open", "the file is empty")) == {
        "file_name": "a.jpg",
        "failure": {"stage": "open", "reason": "the file is empty"},
    }


def write(path: Path, *entries: PhotoRecord | Failure) -> Path:
    with JournalWriter(path, INFO) as writer:
        for entry in entries:
            writer.append(entry)
    return path


def test_a_journal_is_one_header_and_one_line_a_photograph(tmp_path: Path) -> None:
    entries: list[PhotoRecord | Failure] = [
        cat("a.jpg"),
        Failure("caf\udce9.jpg", "decode", "the file is truncated"),
        cat("c.jpg"),
    ]
    path = write(tmp_path / "journal.jsonl", *entries)
    assert len(path.read_bytes().splitlines()) == 4
    assert list(read_journal(path)) == entries
    assert read_info(path) == INFO


def test_each_photograph_is_readable_at_once(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with JournalWriter(path, INFO) as writer:
        assert read_info(path) == INFO
        writer.append(cat())
        assert list(read_journal(path)) == [cat()]


def test_a_torn_last_line_is_dropped_wherever_it_is_cut(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole", cat("a.jpg"), cat("b.jpg")).read_bytes()
    second = whole.rindex(b"\n", 0, -1) + 1
    torn = tmp_path / "torn"
    for cut in range(second, len(whole), 7):
        torn.write_bytes(whole[:cut])
        assert list(read_journal(torn)) == [cat("a.jpg")]


@pytest.mark.parametrize("line", [b"{}\n", b"[1]\n", b'{"file_name": 1\n', b"\0\0\0\n", b"\xff\n", b"\n"])
def test_a_damaged_line_elsewhere_is_an_error_that_says_where(tmp_path: Path, line: bytes) -> None:
    path = write(tmp_path / "journal.jsonl", cat())
    path.write_bytes(path.read_bytes() + line + to_line(cat()).encode())
    with pytest.raises(MglmmError, match=r"journal\.jsonl: line 3"):
        list(read_journal(path))


def test_a_journal_is_never_overwritten(tmp_path: Path) -> None:
    path = write(tmp_path / "journal.jsonl", cat())
    with pytest.raises(UsageError, match="exists"):
        JournalWriter(path, INFO)
    assert list(read_journal(path)) == [cat()]


def test_what_is_no_journal(tmp_path: Path) -> None:
    for data in (b"", b'{"journal":99,"info":{}}\n', b'{"info":1}\n', b'{"journal":1}\n'):
        (tmp_path / "other").write_bytes(data)
        with pytest.raises(MglmmError):
            read_info(tmp_path / "other")


def test_numbers_that_json_does_not_know_are_refused() -> None:
    mask = Mask(RLE(2, 3, "06"), 6, (0.0, 0.0, 3.0, 2.0), math.nan)
    record = PhotoRecord("a.jpg", 3, 2, (SegCap("custom", "", parse("[SEG]"), (mask,)),))
    with pytest.raises(ValueError):
        to_line(record)
