"""Pascal-Part as one COCO file of parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import UsageError
from engine.text.prompts import Task
from tests.trainer.data.formats.made import box, photograph, read, rle, same, told, write

PLATE, LEFT, RIGHT = box(8, 8, 10, 12), box(8, 1, 12, 4), box(8, 15, 12, 18)


def annotation(number: int, category: int, mask: Any) -> dict[str, Any]:
    return {
        "id": number,
        "image_id": 2008000002,
        "category_id": category,
        "segmentation": rle(mask),
        "bbox": [0, 0, 1, 1],
        "iscrowd": 0,
        "area": 1,
    }


def make(root: Path, *annotations: dict[str, Any]) -> None:
    write(
        root / "train.json",
        {
            "categories": [
                {"id": 19, "name": "bus:license plate", "abbr": "bus:liplate"},
                {"id": 24, "name": "bus:wheel"},
            ],
            "images": [{"id": 2008000002, "file_name": "2008_000002.jpg", "height": 12, "width": 20}],
            "annotations": list(annotations),
        },
    )
    photograph(root / "VOCdevkit/VOC2010/JPEGImages/2008_000002.jpg")


def test_one_part_is_that_of_the_object_and_several_are_asked_for_together(tmp_path: Path) -> None:
    make(tmp_path, annotation(0, 24, RIGHT), annotation(1, 19, PLATE), annotation(2, 24, LEFT))
    records, skipped = read("pascal-part", tmp_path)
    assert [(record.task, *told(record)) for record in records] == [
        (Task.MULTIPLE, "Segment all bus wheels.", "<p> bus wheels </p> [SEG] [SEG]"),
        (Task.REFERRING, "Segment the license plate of the bus.", "<p> the license plate of the bus </p> [SEG]"),
    ]
    assert same(records[0], LEFT, RIGHT) and same(records[1], PLATE)
    assert [record.source for record in records] == [
        "train.json: image 2008000002, bus:wheel",
        "train.json: image 2008000002, bus:license plate",
    ]
    assert {record.image for record in records} == {"VOCdevkit/VOC2010/JPEGImages/2008_000002.jpg"}
    assert skipped.total == 0


def test_what_can_not_be_asked_for_is_noted(tmp_path: Path) -> None:
    make(
        tmp_path,
        *(annotation(number, 24, LEFT) for number in range(11)),
        annotation(11, 19, PLATE),
        annotation(12, 19, box(0, 0, 0, 0)),
    )
    records, skipped = read("pascal-part", tmp_path)
    assert not records
    assert {reason: where for reason, _, (where,) in skipped.reasons()} == {
        "an empty mask": "train.json: annotation 12",
        "more than 10 of a class": "train.json: image 2008000002, bus:wheel",
        "one of its like can't be used": "train.json: image 2008000002, bus:license plate",
    }


def test_photographs_and_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"train\.json: no such file"):
        read("pascal-part", tmp_path)
    make(tmp_path)
    _, skipped = read("pascal-part", tmp_path)
    assert skipped.reasons() == [("no part", 1, ("train.json: image 2008000002",))]
    make(tmp_path, annotation(1, 19, PLATE))
    (tmp_path / "VOCdevkit/VOC2010/JPEGImages/2008_000002.jpg").unlink()
    _, skipped = read("pascal-part", tmp_path)
    assert [reason for reason, *_ in skipped.reasons()] == ["its photograph is not there"]
