"""COCO panoptic: a picture of segments for each photograph."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.errors import UsageError
from engine.text.prompts import Task
from tests.trainer.data.formats.made import box, noted, photograph, read, same, told, write

LEFT, RIGHT, TREE = box(6, 1, 12, 4), box(6, 8, 12, 10), box(0, 0, 6, 20)
ONE, TWO, WOOD = 3937500, 7, 8405120  # 3937500 is (220, 20, 60), 8405120 is (128, 64, 128)
CATEGORIES = [
    {"id": 1, "name": "person", "isthing": 1, "supercategory": "person"},
    {"id": 184, "name": "tree-merged", "isthing": 0, "supercategory": "plant"},
]


def segment(number: int, category: int, crowd: int = 0) -> dict[str, Any]:
    return {"id": number, "category_id": category, "iscrowd": crowd, "area": 1, "bbox": [0, 0, 1, 1]}


def make(root: Path, *segments: dict[str, Any], split: str = "train2017", annotations: Any = None) -> None:
    ids = np.select([LEFT, RIGHT, TREE], [ONE, TWO, WOOD])
    colours = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
    folder = root / "annotations" / f"panoptic_{split}"
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(colours).save(folder / "000000000009.png")
    entry = {"image_id": 9, "file_name": "000000000009.png", "segments_info": list(segments)}
    write(
        root / "annotations" / f"panoptic_{split}.json",
        {
            "images": [{"id": 9, "file_name": "000000000009.jpg", "height": 12, "width": 20}],
            "categories": CATEGORIES,
            "annotations": [entry] if annotations is None else annotations,
        },
    )
    photograph(root / split / "000000000009.jpg")


def test_things_one_by_one_and_stuff_as_a_whole(tmp_path: Path) -> None:
    make(tmp_path, segment(TWO, 1), segment(ONE, 1), segment(WOOD, 184))
    records, skipped = read("coco-panoptic", tmp_path)
    assert [(record.task, told(record)[1]) for record in records] == [
        (Task.SEMANTIC, "<p> tree </p> [SEG], <p> person </p> [SEG]"),
        (Task.INSTANCE, "<p> person </p> [SEG], <p> person </p> [SEG]"),
        (Task.PANOPTIC_SEGCAP, "The image shows <p> the tree </p> [SEG] and <p> two people </p> [SEG]."),
        (Task.GCG, "The image shows <p> two people </p> [SEG] [SEG]."),
        (Task.MULTIPLE, "<p> people </p> [SEG] [SEG]"),
    ]
    assert same(records[0], TREE, LEFT | RIGHT) and same(records[1], LEFT, RIGHT)
    assert same(records[2], TREE, LEFT | RIGHT) and same(records[4], LEFT, RIGHT)
    assert (records[0].image, records[0].source) == (
        "train2017/000000000009.jpg",
        "panoptic_train2017.json: image 9",
    )
    assert skipped.total == 0


def test_a_crowd_is_not_an_object(tmp_path: Path) -> None:
    make(tmp_path, segment(ONE, 1, crowd=1), segment(TWO, 1), split="val2017")
    records, _ = read("coco-panoptic", tmp_path)
    assert [(record.task, told(record)[1]) for record in records] == [
        (Task.SEMANTIC, "<p> person </p> [SEG]"),
        (Task.INSTANCE, "<p> person </p> [SEG]"),
        (Task.PANOPTIC_SEGCAP, "The image shows <p> several people </p> [SEG]."),
        (Task.GCG, "The image shows <p> several people </p> [SEG]."),
    ]
    assert same(records[0], LEFT | RIGHT) and same(records[1], RIGHT)
    assert records[0].image == "val2017/000000000009.jpg"


def test_a_segment_without_a_pixel_is_noted_and_its_class_not_counted(tmp_path: Path) -> None:
    make(tmp_path, segment(ONE, 1), segment(12345, 1))
    records, skipped = read("coco-panoptic", tmp_path)
    assert Task.MULTIPLE not in {record.task for record in records}
    assert skipped.reasons() == [
        ("a segment without a pixel", 1, ("panoptic_train2017.json: segment 12345 of 000000000009.png",))
    ]


@pytest.mark.parametrize(
    ("annotations", "reason"),
    [
        ([], "no annotation, or more than one"),
        ([{"image_id": 9, "segments_info": [segment(ONE, 5)], "file_name": "000000000009.png"}], "a segment whose"),
        ([{"image_id": 9, "segments_info": [{"id": ONE}], "file_name": "000000000009.png"}], "a segment whose"),
        ([{"image_id": 9, "segments_info": [3], "file_name": "000000000009.png"}], "no list of segments"),
        ([{"image_id": 9, "segments_info": [], "file_name": "000000000009.png"}], "no segment"),
        (
            [{"image_id": 9, "segments_info": [segment(ONE, 1)], "file_name": "x.png"}],
            "the picture of segments is not there",
        ),
    ],
)
def test_photographs_that_can_not_be_used_are_named(tmp_path: Path, annotations: Any, reason: str) -> None:
    make(tmp_path, annotations=annotations)
    records, skipped = read("coco-panoptic", tmp_path)
    assert not records
    ((found, count, where),) = noted(skipped)
    assert (found.startswith(reason), count, where) == (True, 1, ("panoptic_train2017.json: image 9",))


def test_a_picture_of_another_size_or_kind_is_noted(tmp_path: Path) -> None:
    make(tmp_path, segment(ONE, 1))
    picture = tmp_path / "annotations/panoptic_train2017/000000000009.png"
    for other, reason in (
        (Image.new("RGB", (12, 20)), "a picture of segments of another size than its photograph"),
        (Image.new("L", (20, 12)), "a picture of segments that is not in three colours"),
    ):
        other.save(picture)
        _, skipped = read("coco-panoptic", tmp_path)
        assert [found for found, *_ in skipped.reasons()] == [reason]
    picture.write_bytes(b"x")
    _, skipped = read("coco-panoptic", tmp_path)
    ((found, *_),) = skipped.reasons()
    assert found.startswith("a picture of segments that can't be read: not a JPEG")


def test_entries_of_tables_and_pictures_of_other_tools_are_the_same(tmp_path: Path) -> None:
    make(tmp_path, segment(ONE, 1), segment(TWO, 1, crowd=1), segment(WOOD, 184))
    expected, _ = read("coco-panoptic", tmp_path)
    path = tmp_path / "annotations/panoptic_train2017.json"
    content = json.loads(path.read_text())
    content["images"][0]["id"] = "9"
    content["images"][0]["file_name"] = "train2017\\000000000009.jpg"
    for category, thing in zip(content["categories"], ("1", "0"), strict=True):
        category |= {"id": str(category["id"]), "isthing": thing}
    for entry in content["annotations"][0]["segments_info"]:
        entry |= {"id": float(entry["id"]), "iscrowd": str(entry["iscrowd"])}
    content["annotations"][0]["file_name"] = "..\\panoptic_train2017\\000000000009.PNG"
    write(path, content)
    picture = tmp_path / "annotations/panoptic_train2017/000000000009.png"
    with Image.open(picture) as colours:
        for other in (colours.convert("RGBA"), colours.quantize(16)):
            other.save(picture)
            records, skipped = read("coco-panoptic", tmp_path)
            assert records == expected and not skipped.total


def test_a_picture_of_segments_outside_is_not_looked_at(tmp_path: Path) -> None:
    make(tmp_path, segment(ONE, 1))
    path = tmp_path / "annotations/panoptic_train2017.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["file_name"] = "../../../a.png"
    write(path, content)
    records, skipped = read("coco-panoptic", tmp_path)
    assert not records
    where = "panoptic_train2017.json: image 9 (annotations/panoptic_train2017/../../../a.png)"
    assert skipped.reasons() == [("a file name that leads out of the data set", 1, (where,))]


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no annotations/panoptic_train2017\.json or .* in it"):
        read("coco-panoptic", tmp_path)
    make(tmp_path, segment(ONE, 1))
    (tmp_path / "train2017").rename(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="no train2017 in it"):
        read("coco-panoptic", tmp_path)
