"""GranD, in a fixture of its real layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import UsageError
from engine.text.prompts import FAMILIES, Task
from tests.trainer.data.formats.made import HEIGHT, WIDTH, box, photograph, read, rle, same, told, write

BOAT, OTHER, SEA = box(2, 10, 6, 14), box(2, 1, 6, 5), box(6, 0, 12, 20)


def thing(number: int, mask: Any, attributes: Any, labels: tuple[str, ...] = ("boat",)) -> dict[str, Any]:
    found = {"id": number, "bbox": [0, 0, 4, 4], "labels": list(labels), "attributes": attributes}
    return found if mask is None else found | {"segmentation": rle(mask), "segmentation_source": "SAM"}


def entry(**changes: Any) -> dict[str, Any]:
    return {
        "objects": [
            thing(0, BOAT, ["Assistant: A white boat."]),
            thing(1, OTHER, ["something dull", "a small sail boat", "a sail boat at rest"], ("ship", "sail_boat")),
            thing(2, SEA, None, ("sea",)),
        ],
        "floating_objects": [],
        "relationships": {},
        "short_captions": [
            {
                "caption": "a white boat on the sea",
                "details": [
                    {"phrase": "the sea", "tokens_positive": [16, 23], "id": 2, "bbox": [0, 0, 4, 4]},
                    {"phrase": "a white boat", "tokens_positive": [0, 12], "id": 0, "bbox": [0, 0, 4, 4]},
                ],
            },
            {"caption": "a calm day", "details": []},
        ],
        "dense_caption": {"caption": "...", "details": []},
    } | changes


def make(root: Path, content: Any, part: str = "part_1") -> None:
    write(root / f"annotations/{part}/sa_1.json", {"sa_1.jpg": content})
    photograph(root / "images/sa_1.jpg")


def test_attributes_are_referring_expressions_and_captions_are_grounded(tmp_path: Path) -> None:
    make(tmp_path, entry())
    records, skipped = read("grand", tmp_path)
    assert {(record.image, record.height, record.width) for record in records} == {("images/sa_1.jpg", HEIGHT, WIDTH)}
    assert [(record.task, *told(record)) for record in records] == [
        (Task.REFERRING, "Segment a white boat.", "<p> a white boat </p> [SEG]"),
        (Task.REFERRING, "Please segment a small sail boat in the image.", "<p> a small sail boat </p> [SEG]"),
        (Task.REFERRING, "Where is a sail boat at rest? Answer with a mask.", "<p> a sail boat at rest </p> [SEG]"),
        (Task.GCG, FAMILIES[Task.GCG][0], "<p> a white boat </p> [SEG] on <p> the sea </p> [SEG]"),
        (Task.CAPTION, FAMILIES[Task.CAPTION][0], "a calm day"),
    ]
    assert same(records[0], BOAT)
    assert same(records[1], OTHER)
    assert same(records[2], OTHER)
    assert same(records[3], BOAT, SEA)
    assert records[4].masks == ()
    assert [record.source for record in records] == [
        "sa_1.json: 'a white boat'",
        "sa_1.json: 'a small sail boat'",
        "sa_1.json: 'a sail boat at rest'",
        "sa_1.json: short_captions 0",
        "sa_1.json: short_captions 1",
    ]
    assert not skipped.total


def test_equal_expressions_have_several_targets_from_left_to_right(tmp_path: Path) -> None:
    things = [thing(0, BOAT, "a boat"), thing(1, OTHER, ["A boat"])]
    make(tmp_path, entry(objects=things, short_captions=[]))
    (record,), _ = read("grand", tmp_path)
    assert told(record) == ("Segment a boat.", "<p> a boat </p> [SEG] [SEG]")
    assert same(record, OTHER, BOAT)


def test_the_first_of_several_attributes_counts_where_none_names_the_object(tmp_path: Path) -> None:
    make(tmp_path, entry(objects=[thing(0, BOAT, ["white thing", "floating thing"])], short_captions=[]))
    (record,), _ = read("grand", tmp_path)
    assert told(record)[1] == "<p> white thing </p> [SEG]"


@pytest.mark.parametrize(
    ("stored", "expression"),
    [
        ("Assistant: A white boat.", "a white boat"),
        ("istant a white boat", "a white boat"),
        ("a shop assistant with a boat", "a shop assistant with a boat"),
    ],
)
def test_what_is_left_of_a_prompt_is_cut_from_attributes(tmp_path: Path, stored: str, expression: str) -> None:
    make(tmp_path, entry(objects=[thing(0, BOAT, stored)], short_captions=[]))
    (record,), _ = read("grand", tmp_path)
    assert told(record) == (f"Segment {expression}.", f"<p> {expression} </p> [SEG]")


def test_what_has_no_mask_is_noted(tmp_path: Path) -> None:
    things = [thing(0, None, ["a white boat"]), thing(2, SEA, None)]
    floating = [{"id": 3, "bbox": [0, 0, 4, 4], "segmentation": {"size": [HEIGHT, WIDTH], "counts": "04"}}]
    make(tmp_path, entry(objects=things, floating_objects=floating))
    records, skipped = read("grand", tmp_path)
    assert [told(record)[1] for record in records] == ["a white boat on <p> the sea </p> [SEG]", "a calm day"]
    assert set(skipped.reasons()) == {
        ("a phrase without a mask", 2, ("sa_1.json: objects 0", "sa_1.json: short_captions 0")),
        ("counts that end before they fill the mask", 1, ("sa_1.json: floating_objects 0",)),
    }


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([], "an entry that is not an object"),
        ({"floating_objects": []}, "no 'objects'"),
        (entry(objects=[], short_captions=[7]), "an entry that is not an object"),
        (entry(objects=[7], short_captions=[]), "an entry that is not an object"),
        (entry(objects=[thing(0, BOAT, 7.5)], short_captions=[]), "'attributes' that is not a list"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, content: Any, reason: str) -> None:
    make(tmp_path, content)
    records, skipped = read("grand", tmp_path)
    assert not records
    assert {found for found, _, _ in skipped.reasons()} == {reason}


def test_a_missing_photograph_is_noted(tmp_path: Path) -> None:
    write(tmp_path / "annotations/sa_2.json", {"sa_2.jpg": entry()})
    records, skipped = read("grand", tmp_path)
    assert not records
    assert skipped.reasons() == [("its photograph is not there", 1, ("sa_2.json (images/sa_2.jpg)",))]


def test_missing_and_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="annotations: no such folder"):
        read("grand", tmp_path)
    (tmp_path / "annotations").mkdir()
    with pytest.raises(UsageError, match=r"annotations: no \*\.json in it"):
        read("grand", tmp_path)
    (tmp_path / "annotations/sa_1.json").write_text("{")
    with pytest.raises(UsageError, match=r"sa_1\.json: not JSON"):
        read("grand", tmp_path)
