"""Plain COCO: made-up photographs, and the real ones where they are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from engine.errors import UsageError
from engine.text.prompts import Task
from tests.trainer.data.formats.made import box, photograph, polygon, read, rle, same, told, write

LEFT, RIGHT, BUS = box(0, 1, 6, 4), box(0, 8, 6, 10), box(0, 12, 12, 20)
CATEGORIES = [{"id": 1, "name": "person"}, {"id": 6, "name": "bus"}, {"id": 18, "name": "dog"}]


def annotation(number: int, image: int, category: int, **keys: Any) -> dict[str, Any]:
    return {"id": number, "image_id": image, "category_id": category, "iscrowd": 0} | keys


def image(number: int) -> dict[str, Any]:
    return {"id": number, "file_name": f"{number}.jpg", "height": 12, "width": 20}


STREET = [
    annotation(1, 7, 1, segmentation=[polygon(0, 8, 6, 10)]),
    annotation(2, 7, 6, segmentation=rle(BUS)),
    annotation(3, 7, 1, segmentation=[polygon(0, 1, 6, 4)]),
]


def make(root: Path, annotations: list[dict[str, Any]], numbers: tuple[int, ...] = (7,)) -> None:
    images = [image(number) for number in numbers]
    write(root / "instances.json", {"images": images, "categories": CATEGORIES, "annotations": annotations})
    for number in numbers:
        photograph(root / "images" / f"{number}.jpg")


def test_every_question_that_objects_answer(tmp_path: Path) -> None:
    make(tmp_path, STREET)
    records, skipped = read("coco-instances", tmp_path)
    assert [(record.task, *told(record)) for record in records] == [
        (Task.SEMANTIC, "Segment all classes in the image.", "<p> bus </p> [SEG], <p> person </p> [SEG]"),
        (
            Task.INSTANCE,
            "Segment all objects in the image one by one.",
            "<p> bus </p> [SEG], <p> person </p> [SEG], <p> person </p> [SEG]",
        ),
        (
            Task.GCG,
            "Describe the image, with interleaved masks.",
            "The image shows <p> a bus </p> [SEG] and <p> two people </p> [SEG] [SEG].",
        ),
        (Task.MULTIPLE, "Segment all people.", "<p> people </p> [SEG] [SEG]"),
        (Task.MULTIPLE, "Please segment every one of the buses in the image.", "<p> buses </p> [SEG]"),
    ]
    assert same(records[0], BUS, LEFT | RIGHT)
    assert same(records[1], BUS, LEFT, RIGHT) and same(records[2], BUS, LEFT, RIGHT)
    assert same(records[3], LEFT, RIGHT) and same(records[4], BUS)
    assert {(record.image, record.source) for record in records} == {("images/7.jpg", "instances.json: image 7")}
    assert skipped.total == 0


def test_the_only_one_of_its_class_is_referred_to_and_what_was_elsewhere_is_denied(tmp_path: Path) -> None:
    dog = annotation(4, 8, 18, segmentation=rle(BUS))
    make(tmp_path, [*STREET, dog], (7, 8))
    records, _ = read("coco-instances", tmp_path)
    assert [(record.task, *told(record)) for record in records[-2:]] == [
        (Task.REFERRING, "Segment the dog.", "<p> the dog </p> [SEG]"),
        (Task.MULTIPLE, "Find all people and mask each.", "Sorry, I don't see any people in this image."),
    ]
    assert same(records[-2], BUS) and same(records[-1])


def test_a_crowd_is_shown_but_not_counted_nor_denied(tmp_path: Path) -> None:
    crowd = annotation(4, 8, 1, segmentation=rle(box(0, 0, 6, 20)), iscrowd=1)
    make(tmp_path, [*STREET, crowd, annotation(5, 8, 1, segmentation=rle(box(8, 0, 12, 9)))], (7, 8))
    records, _ = read("coco-instances", tmp_path)
    found = [(record.task, told(record)[1]) for record in records if record.image == "images/8.jpg"]
    assert found == [
        (Task.SEMANTIC, "<p> person </p> [SEG]"),
        (Task.INSTANCE, "<p> person </p> [SEG]"),
        (Task.GCG, "The image shows <p> several people </p> [SEG]."),
    ]
    assert same(records[-3], box(0, 0, 6, 20) | box(8, 0, 12, 9))


def test_a_class_with_an_unusable_object_is_neither_counted_nor_denied(tmp_path: Path) -> None:
    broken = annotation(4, 8, 1, segmentation=[])
    make(tmp_path, [*STREET, broken, annotation(5, 8, 18, segmentation=rle(BUS))], (7, 8))
    records, skipped = read("coco-instances", tmp_path)
    answers = [told(record)[1] for record in records if record.image == "images/8.jpg"]
    assert not any("people" in answer or "person" in answer for answer in answers)
    assert skipped.reasons() == [("no mask", 1, ("instances.json: annotation 4",))]


def test_captions_are_questions_of_their_own(tmp_path: Path) -> None:
    make(tmp_path, [], (7, 8))
    texts = [
        {"id": 1, "image_id": 7, "caption": "A bus  stops.\n"},
        {"id": 2, "image_id": 7, "caption": "Two people."},
        {"id": 3, "image_id": 9, "caption": "Elsewhere."},
        {"id": 4, "image_id": 7, "caption": " "},
    ]
    write(tmp_path / "captions.json", {"images": [image(7), image(9)], "annotations": texts})
    records, skipped = read("coco-instances", tmp_path)
    assert [(record.task, *told(record), record.source) for record in records] == [
        (Task.CAPTION, "Describe the image in one sentence.", "A bus stops.", "captions.json: annotation 1"),
        (Task.CAPTION, "Write a short caption.", "Two people.", "captions.json: annotation 2"),
    ]
    assert {reason: where for reason, _, (where,) in skipped.reasons()} == {
        "no text": "captions.json: annotation 4",
        "no object and no caption": "instances.json: image 8",
        "captions of a photograph that instances.json doesn't list": "captions.json: image 9",
    }


def test_photographs_and_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"instances\.json: no such file"):
        read("coco-instances", tmp_path)
    make(tmp_path, STREET)
    (tmp_path / "images" / "7.jpg").unlink()
    records, skipped = read("coco-instances", tmp_path)
    assert not records
    assert skipped.reasons() == [("its photograph is not there", 1, ("instances.json: image 7 (images/7.jpg)",))]


def test_two_categories_of_one_name_are_one_class_and_not_denied(tmp_path: Path) -> None:
    names = [
        {"id": 1, "name": "fish"},
        {"id": 2, "name": "Fish"},
        {"id": 3, "name": "tv"},
        {"id": 4, "name": "television"},
    ]
    found = [
        annotation(1, 7, 1, segmentation=rle(LEFT)),
        annotation(2, 7, 2, segmentation=rle(RIGHT)),
        annotation(3, 8, 3, segmentation=rle(LEFT)),
        annotation(4, 8, 4, segmentation=rle(RIGHT)),
        annotation(5, 9, 2, segmentation=rle(LEFT)),
        annotation(6, 10, 4, segmentation=rle(LEFT)),
    ]
    make(tmp_path, found, (7, 8, 9, 10))
    images = [image(number) for number in (7, 8, 9, 10)]
    write(tmp_path / "instances.json", {"images": images, "categories": names, "annotations": found})
    records, _ = read("coco-instances", tmp_path)
    answers = {(record.image, told(record)[1]): record for record in records}
    assert same(answers["images/7.jpg", "<p> fish </p> [SEG]"], LEFT | RIGHT)  # the class list
    assert same(answers["images/7.jpg", "<p> fishes </p> [SEG] [SEG]"], LEFT, RIGHT)
    assert same(answers["images/8.jpg", "<p> televisions </p> [SEG] [SEG]"], LEFT, RIGHT)
    denied = {(record.image, told(record)[1]) for record in records if not record.masks}
    assert denied
    for photo, answer in denied:
        assert ("fish" in answer) == (photo in ("images/8.jpg", "images/10.jpg"))
        assert ("television" in answer) == (photo in ("images/7.jpg", "images/9.jpg"))


def test_ids_of_captions_may_be_written_otherwise(tmp_path: Path) -> None:
    make(tmp_path, STREET)
    texts = [{"id": 1, "image_id": "7", "caption": "A bus."}]
    write(tmp_path / "captions.json", {"images": [image(7) | {"id": "7"}], "annotations": texts})
    records, skipped = read("coco-instances", tmp_path)
    assert [told(record)[1] for record in records if record.task is Task.CAPTION] == ["A bus."]
    assert not skipped.total


def test_objects_need_names(tmp_path: Path) -> None:
    make(tmp_path, STREET)
    write(tmp_path / "instances.json", {"images": [image(7)], "annotations": STREET})
    with pytest.raises(UsageError, match=r"instances\.json: not a COCO file: no list 'categories'"):
        read("coco-instances", tmp_path)


def test_a_photograph_whose_size_is_not_said_has_that_of_the_photograph(tmp_path: Path) -> None:
    make(tmp_path, STREET)
    unsized = {"id": 7, "file_name": "7.jpg"}
    write(tmp_path / "instances.json", {"images": [unsized], "categories": CATEGORIES, "annotations": STREET})
    records, skipped = read("coco-instances", tmp_path)
    assert same(records[0], BUS, LEFT | RIGHT) and not skipped.total


def test_real_photographs(data_root: Path) -> None:
    records, skipped = read("coco-instances", data_root / "coco" / "val")
    counts = Counter(record.task for record in records)
    assert len({record.image for record in records}) == 106 and counts[Task.CAPTION] == 530
    assert counts[Task.INSTANCE] == 106
    assert [reason for reason, *_ in skipped.reasons()] == ["more than 10 of a class"]
    asked = [record for record in records if record.task in (Task.REFERRING, Task.MULTIPLE)]
    denied = sum(not record.masks for record in asked)
    assert 0.25 < denied / len(asked) < 0.5
