"""ReasonSeg, in a fixture of its real layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import UsageError
from engine.masks.rle import decode
from engine.text.prompts import Task
from tests.trainer.data.formats.made import HEIGHT, WIDTH, box, photograph, read, same, told, write
from trainer.data.formats.reason_seg import regions


def shape(label: str, top: int, left: int, bottom: int, right: int) -> dict[str, Any]:
    points = [[left, top], [right, top], [right, bottom], [left, bottom]]
    return {"label": label, "labels": [label], "shape_type": "polygon", "points": points}


def entry(**changes: Any) -> dict[str, Any]:
    return {
        "text": ["What makes the woman stand higher?", "Which thing lets her reach up?"],
        "is_sentence": True,
        "shapes": [shape("target", 0, 0, 8, 10)],
    } | changes


def make(root: Path, content: Any, explanations: Any = None) -> None:
    write(root / "train/1_2.json", content)
    photograph(root / "train/1_2.jpg")
    if explanations is not None:
        write(root / "explanatory/train.json", explanations)


def test_every_wording_of_a_question_is_a_record(tmp_path: Path) -> None:
    make(tmp_path, entry())
    records, skipped = read("reasonseg", tmp_path)
    assert {(one.image, one.height, one.width, one.task) for one in records} == {
        ("train/1_2.jpg", HEIGHT, WIDTH, Task.REASONING)
    }
    assert [told(record) for record in records] == [
        ("What makes the woman stand higher? Explain with masks.", "<p> the target </p> [SEG]."),
        ("Which thing lets her reach up? Answer with an explanation and masks.", "<p> the target </p> [SEG]."),
    ]
    assert all(same(record, box(0, 0, 8, 10)) for record in records)
    assert [record.source for record in records] == ["1_2.json: text 0", "1_2.json: text 1"]
    assert not skipped.total


@pytest.mark.parametrize("points", [[], [[1, 1]], [[1, 1], [5, 1]], [[1, 1], [5, 1], [9, 1]]])
def test_a_shape_that_is_none_leaves_the_others(tmp_path: Path, points: list[Any]) -> None:
    make(tmp_path, entry(shapes=[{"label": "target", "points": points}, shape("target", 0, 0, 8, 10)]))
    records, skipped = read("reasonseg", tmp_path)
    assert len(records) == 2 and all(same(record, box(0, 0, 8, 10)) for record in records)
    ((remark, count, where),) = skipped.remarks()
    assert "the other shapes are used" in remark and (count, where) == (1, ("1_2.json",))


def test_a_phrase_may_be_marked_in_text(tmp_path: Path) -> None:
    make(tmp_path, entry(is_sentence="false", text=["The ladder."]))
    (record,), _ = read("reasonseg", tmp_path)
    assert told(record)[1] == "<p> the ladder </p> [SEG]"


def test_an_explanation_is_part_of_the_answer(tmp_path: Path) -> None:
    explanations = [{"image": "1_2.jpg", "query": "Why is she up there?", "outputs": "She stands on a ladder."}]
    make(tmp_path, entry(text=["What makes the woman stand higher?"]), explanations)
    records, _ = read("reasonseg", tmp_path)
    assert [told(record) for record in records] == [
        (
            "What makes the woman stand higher? Explain with masks.",
            "<p> the target </p> [SEG]. She stands on a ladder.",
        ),
        (
            "Why is she up there? Answer with an explanation and masks.",
            "<p> the target </p> [SEG]. She stands on a ladder.",
        ),
    ]


def test_a_phrase_is_asked_for_and_kept_in_the_answer(tmp_path: Path) -> None:
    make(tmp_path, entry(text=["The lens for near objects."], is_sentence=False))
    (record,), _ = read("reasonseg", tmp_path)
    assert told(record) == ("Segment the lens for near objects.", "<p> the lens for near objects </p> [SEG]")
    assert record.task is Task.REASONING


def test_smaller_shapes_lie_over_larger_ones_and_ignored_pixels_are_background(tmp_path: Path) -> None:
    shapes = [
        shape("target", 2, 2, 4, 4),
        shape("ignore", 1, 1, 6, 6),
        shape("target", 0, 0, 8, 10),
        shape("Flag", 0, 0, 12, 20),
    ]
    make(tmp_path, entry(shapes=shapes, text=["Which?"]))
    (record,), _ = read("reasonseg", tmp_path)
    expected = box(0, 0, 8, 10) & ~box(1, 1, 6, 6) | box(2, 2, 4, 4)
    assert same(record, expected)
    target, undecided = regions(shapes, HEIGHT, WIDTH)
    assert np.array_equal(decode(target), expected)
    assert np.array_equal(decode(undecided), box(1, 1, 6, 6) & ~box(2, 2, 4, 4))


def test_files_of_an_old_code_page_are_read(tmp_path: Path) -> None:
    make(tmp_path, entry())
    text = (tmp_path / "train/1_2.json").read_text().replace("the woman", "the caf\u00e9\u2019s owner")
    (tmp_path / "train/1_2.json").write_bytes(text.encode("cp1252"))
    records, _ = read("reasonseg", tmp_path)
    assert told(records[0])[0].startswith("What makes the caf\u00e9\u2019s owner stand higher?")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (entry(shapes=[]), "an empty mask"),
        (entry(shapes=[shape("ignore", 0, 0, 4, 4)]), "an empty mask"),
        (entry(shapes=[{"label": "target", "points": [[1, 1], [2, 2]]}]), "a polygon of fewer than three points"),
        (entry(shapes=[{"label": "target", "points": [1, 2, 3]}]), "points that are not pairs"),
        (entry(text="Which?"), "'text' that is not list"),
        ({}, "no 'shapes'"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, content: Any, reason: str) -> None:
    make(tmp_path, content)
    records, skipped = read("reasonseg", tmp_path)
    assert not records
    assert skipped.reasons() == [(reason, 1, ("1_2.json",))]


def test_a_missing_photograph_and_a_broken_explanation_are_noted(tmp_path: Path) -> None:
    make(tmp_path, entry(), [{"image": "1_2.jpg"}])
    (tmp_path / "train/1_2.jpg").unlink()
    records, skipped = read("reasonseg", tmp_path)
    assert not records
    assert set(skipped.reasons()) == {
        ("no 'query'", 1, ("explanatory/train.json: entry 0",)),
        ("its photograph is not there", 1, ("1_2.json (train/1_2.jpg)",)),
    }


def test_missing_and_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="train: no such folder"):
        read("reasonseg", tmp_path)
    make(tmp_path, entry())
    (tmp_path / "train/0.json").write_text("{")
    with pytest.raises(UsageError, match=r"0\.json: not JSON"):
        read("reasonseg", tmp_path)
