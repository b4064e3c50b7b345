"""gRefCOCO: several targets, one, and none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import UsageError
from engine.text.prompts import Task
from tests.trainer.data.formats.made import box, photograph, polygon, read, same, told, write

LEFT, RIGHT = box(2, 1, 8, 5), box(0, 10, 12, 18)


def ref(number: int, objects: Any, *sents: str, **keys: Any) -> dict[str, Any]:
    return {
        "ann_id": objects,
        "category_id": [1],
        "file_name": "COCO_train2014_000000000009.jpg",
        "image_id": 9,
        "no_target": objects == [-1],
        "ref_id": number,
        "sent_ids": [number],
        "sentences": [{"raw": sent, "sent": sent, "sent_id": number, "tokens": sent.split()} for sent in sents],
        "split": "train",
    } | keys


def make(root: Path, refs: Any) -> None:
    keys = {"image_id": 9, "category_id": 1}
    write(
        root / "grefcoco/instances.json",
        {
            "images": [{"id": 9, "file_name": "COCO_train2014_000000000009.jpg", "height": 12, "width": 20}],
            "categories": [{"id": 1, "name": "person"}],
            "annotations": [
                {"id": 100, "segmentation": [polygon(0, 10, 12, 18)], "iscrowd": 0, **keys},
                {"id": 101, "segmentation": [polygon(2, 1, 8, 5)], "iscrowd": 0, **keys},
                {"id": 102, "segmentation": [polygon(2, 1, 8, 5)], "iscrowd": 1, **keys},
                {"id": 103, "segmentation": [], "iscrowd": 0, **keys},
            ],
        },
    )
    write(root / "grefcoco/grefs(unc).json", refs)
    photograph(root / "images/train2014/COCO_train2014_000000000009.jpg")


def test_several_one_and_none(tmp_path: Path) -> None:
    make(
        tmp_path,
        [
            ref(0, [100, 101], "the two men"),
            ref(1, [100], "right guy"),
            ref(2, [-1], "the man in green", "a zebra"),
            ref(3, 101, "left guy"),
        ],
    )
    records, skipped = read("grefcoco", tmp_path)
    assert [(record.task, *told(record)) for record in records] == [
        (Task.MULTIPLE, "Segment the two men.", "<p> the two men </p> [SEG] [SEG]"),
        (Task.REFERRING, "Please segment right guy in the image.", "<p> right guy </p> [SEG]"),
        (
            Task.MULTIPLE,
            "Where is the man in green? Answer with a mask.",
            "Sorry, I don't see any man in green in this image.",
        ),
        (Task.MULTIPLE, "Segment a zebra.", "Sorry, I don't see any zebra in this image."),
        (Task.REFERRING, "Please segment left guy in the image.", "<p> left guy </p> [SEG]"),
    ]
    assert same(records[0], LEFT, RIGHT)  # from left to right, whatever the order of the ids
    assert same(records[1], RIGHT) and same(records[2]) and same(records[3]) and same(records[4], LEFT)
    assert records[2].source == "grefcoco/grefs(unc).json: ref 2"
    assert records[0].image == "images/train2014/COCO_train2014_000000000009.jpg"
    assert skipped.total == 0


def test_an_answer_that_would_not_be_whole_is_not_made(tmp_path: Path) -> None:
    make(
        tmp_path,
        [
            ref(0, [100, 555], "a"),
            ref(1, [100, 102], "b"),
            ref(2, [100, 103], "c"),
            ref(3, [], "d"),
            ref(4, [100]),
            ref(5, [100], "e", split="val"),
            ref(6, [100], "f", image_id=10),
        ],
    )
    records, skipped = read("grefcoco", tmp_path)
    assert not records
    assert {reason: where[0][-1] for reason, _, where in skipped.reasons()} == {
        "one of its objects is not in instances.json, or not under an id of its own": "0",
        "one of its objects is a crowd": "1",
        "no mask": "2",
        "no object, and not said to have none": "3",
        "no sentence": "4",
        "of the split val": "5",
        "its image is not in instances.json": "6",
    }


def test_marks_and_ids_of_tables(tmp_path: Path) -> None:
    refs = [
        ref(0, ["100", "101"], "the two men", no_target="false"),
        ref(1, [100.0], "right guy", image_id=9.0, no_target=None),
        ref(2, [-1.0], "a zebra", no_target="1"),
        ref(3, [100], "a lion", no_target="maybe"),
    ]
    make(tmp_path, refs)
    records, skipped = read("grefcoco", tmp_path)
    assert [len(record.masks) for record in records] == [2, 1, 0]
    assert skipped.reasons() == [("'no_target' that is neither 0 nor 1", 1, ("grefcoco/grefs(unc).json: ref 3",))]


def test_bad_files_are_one_clear_line(tmp_path: Path) -> None:
    make(tmp_path, [{"ref_id": 0}])
    _, skipped = read("grefcoco", tmp_path)
    assert skipped.reasons() == [("no 'ann_id'", 1, ("grefcoco/grefs(unc).json: reference 0",))]
    (tmp_path / "grefcoco/grefs(unc).json").write_text("[{")
    with pytest.raises(UsageError, match=r"grefs\(unc\)\.json: not JSON"):
        read("grefcoco", tmp_path)
    (tmp_path / "grefcoco/grefs(unc).json").unlink()
    with pytest.raises(UsageError, match=r"grefs\(unc\)\.json: no such file"):
        read("grefcoco", tmp_path)
