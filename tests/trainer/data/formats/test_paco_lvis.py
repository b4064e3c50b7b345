"""PACO-LVIS: objects with their parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import UsageError
from engine.text.prompts import Task
from tests.trainer.data.formats.made import box, photograph, read, rle, same, told, write

MUG, HANDLE, RIM = box(2, 1, 10, 9), box(4, 7, 8, 9), box(2, 1, 3, 7)
CAR, OTHER, WHEEL, OTHER_WHEEL = box(2, 10, 8, 14), box(2, 15, 8, 20), box(6, 10, 8, 12), box(6, 18, 8, 20)
CATEGORIES = {1: "mug", 2: "mug:handle", 3: "mug:rim", 4: "car_(automobile)", 5: "car_(automobile):wheel", 6: "dog"}


def annotation(number: int, whole: int, category: int, mask: Any) -> dict[str, Any]:
    return {
        "id": number,
        "image_id": 9,
        "category_id": category,
        "obj_ann_id": whole,
        "segmentation": rle(mask),
        "attribute_ids": [],
    }


MUGS = [annotation(1, 1, 1, MUG), annotation(2, 1, 2, HANDLE), annotation(3, 1, 3, RIM)]
CARS = [
    annotation(4, 4, 4, OTHER),
    annotation(5, 5, 4, CAR),
    annotation(6, 4, 5, OTHER_WHEEL),
    annotation(7, 5, 5, WHEEL),
]


def make(root: Path, annotations: list[dict[str, Any]], split: str = "train", **keys: Any) -> None:
    image = {"id": 9, "file_name": "train2017/000000000009.jpg", "height": 12, "width": 20} | keys
    write(
        root / f"annotations/paco_lvis_v1_{split}.json",
        {
            "images": [image],
            "categories": [{"id": number, "name": name} for number, name in CATEGORIES.items()],
            "annotations": annotations,
            "part_categories": [],
            "attributes": [],
        },
    )
    photograph(root / "train2017/000000000009.jpg")


def test_the_only_object_of_its_class_is_described_with_its_parts(tmp_path: Path) -> None:
    make(tmp_path, MUGS)
    records, skipped = read("paco-lvis", tmp_path)
    assert [(record.task, *told(record)) for record in records] == [
        (Task.REFERRING, "Segment the mug.", "<p> the mug </p> [SEG]"),
        (
            Task.FINE_SEGCAP,
            "Describe the mug in the image comprehensively, with interleaved masks.",
            "<p> The mug </p> [SEG] has these parts: <p> handle </p> [SEG] and <p> rim </p> [SEG].",
        ),
        (Task.REFERRING, "Please segment the handle of the mug in the image.", "<p> the handle of the mug </p> [SEG]"),
        (Task.REFERRING, "Where is the rim of the mug? Answer with a mask.", "<p> the rim of the mug </p> [SEG]"),
    ]
    assert same(records[0], MUG) and same(records[1], MUG, HANDLE, RIM)
    assert same(records[2], HANDLE) and same(records[3], RIM)
    assert [record.source for record in records] == [
        f"paco_lvis_v1_train.json: annotation {number}" for number in (1, 1, 2, 3)
    ]
    assert {record.image for record in records} == {"train2017/000000000009.jpg"}
    assert skipped.total == 0


def test_several_of_a_class_and_their_parts_are_asked_for_together(tmp_path: Path) -> None:
    make(tmp_path, CARS, split="val")
    records, skipped = read("paco-lvis", tmp_path)
    assert [(record.task, *told(record)) for record in records] == [
        (Task.MULTIPLE, "Segment all cars.", "<p> cars </p> [SEG] [SEG]"),
        (
            Task.MULTIPLE,
            "Please segment every one of the car wheels in the image.",
            "<p> car wheels </p> [SEG] [SEG]",
        ),
    ]
    assert same(records[0], CAR, OTHER) and same(records[1], WHEEL, OTHER_WHEEL)
    assert skipped.total == 0


def test_only_what_is_known_not_to_be_there_is_denied(tmp_path: Path) -> None:
    make(tmp_path, MUGS)
    path = tmp_path / "annotations/paco_lvis_v1_train.json"
    write(
        path,
        {
            "images": [
                {"id": 9, "file_name": "train2017/000000000009.jpg", "height": 12, "width": 20},
                {
                    "id": 10,
                    "file_name": "train2017/000000000009.jpg",
                    "height": 12,
                    "width": 20,
                    "neg_category_ids": [6, 1, 2],
                },
            ],
            "categories": [{"id": number, "name": name} for number, name in CATEGORIES.items()],
            "annotations": [*MUGS, *({**entry, "image_id": 10} for entry in CARS)],
        },
    )
    records, _ = read("paco-lvis", tmp_path)
    assert [told(record) for record in records if not record.masks] == [
        ("Segment the mug.", "Sorry, I don't see any mug in this image.")
    ]


def test_what_can_not_be_told_for_sure_is_noted(tmp_path: Path) -> None:
    broken = annotation(8, 8, 4, box(0, 0, 0, 0))
    orphan = annotation(9, 77, 2, HANDLE)
    make(tmp_path, [MUGS[0], MUGS[2], orphan, *CARS, broken], not_exhaustive_category_ids=[3])
    records, skipped = read("paco-lvis", tmp_path)
    assert [told(record)[1] for record in records] == ["<p> the mug </p> [SEG]"]
    assert {reason: [place.split()[-1] for place in where] for reason, _, where in skipped.reasons()} == {
        "there is more of its class than can be shown": ["3", "4", "5"],
        "its object can't be used": ["9", "6", "7"],
        "an empty mask": ["8"],
    }


def test_ids_that_are_none_are_one_clear_line_or_noted(tmp_path: Path) -> None:
    make(tmp_path, [{**MUGS[1], "obj_ann_id": [1]}])
    _, skipped = read("paco-lvis", tmp_path)
    assert skipped.reasons() == [("'obj_ann_id' is not an id", 1, ("paco_lvis_v1_train.json: annotation 2",))]
    make(tmp_path, MUGS, neg_category_ids=3)
    with pytest.raises(UsageError, match=r"paco_lvis_v1_train\.json: image 9: 'neg_category_ids' is not a list of ids"):
        read("paco-lvis", tmp_path)


def test_photographs_and_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no annotations/paco_lvis_v1_train\.json or .* in it"):
        read("paco-lvis", tmp_path)
    make(tmp_path, [])
    _, skipped = read("paco-lvis", tmp_path)
    assert skipped.reasons() == [("no object", 1, ("paco_lvis_v1_train.json: image 9",))]
    make(tmp_path, MUGS)
    (tmp_path / "train2017/000000000009.jpg").unlink()
    _, skipped = read("paco-lvis", tmp_path)
    assert [reason for reason, *_ in skipped.reasons()] == ["its photograph is not there"]
