"""The layout of REFER: references in a pickle, objects in a COCO file."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import UsageError
from engine.text.prompts import Task
from tests.trainer.data.formats.made import box, photograph, polygon, read, rle, same, told, write

CUP, MAN = box(2, 1, 8, 5), box(0, 10, 12, 18)


def ref(number: int, object_id: int, image: int, *sents: str, split: str = "train") -> dict[str, Any]:
    return {
        "sent_ids": list(range(len(sents))),
        "file_name": f"COCO_train2014_{image:012}_{object_id}.jpg",
        "ann_id": object_id,
        "ref_id": number,
        "image_id": image,
        "split": split,
        "sentences": [
            {"tokens": sent.split(), "raw": sent.upper(), "sent_id": place, "sent": sent}
            for place, sent in enumerate(sents)
        ],
        "category_id": 1,
    }


def make(
    root: Path,
    refs: Any,
    *,
    folder: str = "refcoco",
    file: str = "refs(unc).p",
    images: str = "mscoco/images/train2014",
) -> None:
    write(
        root / folder / "instances.json",
        {
            "info": {},
            "images": [
                {"id": 9, "file_name": "COCO_train2014_000000000009.jpg", "height": 12, "width": 20},
                {"id": 25, "file_name": "COCO_train2014_000000000025.jpg", "height": 12, "width": 20},
            ],
            "categories": [{"id": 1, "name": "person", "supercategory": "person"}],
            "annotations": [
                {"id": 100, "image_id": 9, "category_id": 1, "segmentation": [polygon(2, 1, 8, 5)], "iscrowd": 0},
                {"id": 101, "image_id": 9, "category_id": 1, "segmentation": [rle(MAN)], "iscrowd": 0},
                {"id": 102, "image_id": 25, "category_id": 1, "segmentation": [], "iscrowd": 0},
            ],
        },
    )
    (root / folder / file).write_bytes(pickle.dumps(refs, 2))
    for number in (9, 25):
        photograph(root / "images" / images / f"COCO_train2014_{number:012}.jpg")


def test_a_sentence_is_a_question_and_its_phrase_is_kept(tmp_path: Path) -> None:
    make(tmp_path, [ref(0, 100, 9, "left cup", "the cup "), ref(1, 101, 9, "man")])
    records, skipped = read("refcoco", tmp_path)
    assert [told(record) for record in records] == [
        ("Segment left cup.", "<p> left cup </p> [SEG]"),
        ("Please segment the cup in the image.", "<p> the cup </p> [SEG]"),
        ("Where is man? Answer with a mask.", "<p> man </p> [SEG]"),
    ]
    assert same(records[0], CUP) and same(records[1], CUP) and same(records[2], MAN)
    assert {(record.image, record.height, record.width, record.task) for record in records} == {
        ("images/mscoco/images/train2014/COCO_train2014_000000000009.jpg", 12, 20, Task.REFERRING)
    }
    assert [record.source for record in records] == ["refcoco/refs(unc).p: ref 0"] * 2 + ["refcoco/refs(unc).p: ref 1"]
    assert skipped.total == 0


@pytest.mark.parametrize(
    ("name", "file", "images"),
    [
        ("refcoco", "refs(google).p", "train2014"),
        ("refcoco+", "refs(unc).p", "mscoco/images/train2014"),
        ("refcocog", "refs(umd).p", "mscoco/images/train2014"),
        ("refcocog", "refs(google).p", "train2014"),
        ("refclef", "refs(unc).p", "saiapr_tc-12"),
        ("refclef", "refs(berkeley).p", "saiapr_tc-12"),
    ],
)
def test_each_set_has_its_own_files(tmp_path: Path, name: str, file: str, images: str) -> None:
    make(tmp_path, [ref(0, 101, 9, "man")], folder=name, file=file, images=images)
    (record,), _ = read(name, tmp_path)
    assert record.image == f"images/{images}/COCO_train2014_000000000009.jpg"
    assert record.source == f"{name}/{file}: ref 0"
    assert same(record, MAN)


def test_photographs_stay_together_and_only_train_is_read(tmp_path: Path) -> None:
    make(
        tmp_path,
        [
            ref(0, 100, 9, "a"),
            ref(1, 102, 25, "b"),
            ref(2, 101, 9, "c"),
            ref(3, 101, 9, "d", split="testA"),
            ref(4, 555, 9, "e"),
            ref(5, 100, 77, "f"),
            ref(6, 100, 9),
            ref(7, 100, 25, "g"),
            ref(8, 100, 9, "h [SEG]"),
        ],
    )
    (tmp_path / "refcoco" / "refs(google).p").write_bytes(b"")
    records, skipped = read("refcoco", tmp_path)
    assert [record.source[-1] for record in records] == ["0", "2"]
    assert {reason: where for reason, _, where in skipped.reasons()} == {
        "the same references divided otherwise": ("refcoco/refs(google).p",),
        "of the split testA": ("refcoco/refs(unc).p: ref 3",),
        "its object is not in instances.json, or not under an id of its own": (
            "refcoco/refs(unc).p: ref 4",
            "refcoco/refs(unc).p: ref 7",
        ),
        "its image is not in instances.json": ("refcoco/refs(unc).p: ref 5",),
        "no sentence": ("refcoco/refs(unc).p: ref 6",),
        "no mask": ("refcoco/refs(unc).p: ref 1",),
        "a phrase that is blank or holds a tag of the prompts or answers": ("refcoco/refs(unc).p: ref 8",),
    }


def test_photographs_that_are_not_there_are_noted(tmp_path: Path) -> None:
    make(tmp_path, [ref(0, 100, 9, "a")])
    (tmp_path / "images/mscoco/images/train2014/COCO_train2014_000000000009.jpg").unlink()
    records, skipped = read("refcoco", tmp_path)
    assert not records
    assert skipped.reasons() == [
        (
            "its photograph is not there",
            1,
            ("refcoco/refs(unc).p: ref 0 (images/mscoco/images/train2014/COCO_train2014_000000000009.jpg)",),
        )
    ]


@pytest.mark.parametrize(
    "write_ids", [str, float, np.int64, lambda n: f"{n:012}"], ids=["text", "floats", "numpy", "leading zeros"]
)
def test_ids_may_be_written_otherwise_than_in_the_instances(tmp_path: Path, write_ids: Any) -> None:
    make(tmp_path, [ref(0, write_ids(100), write_ids(9), "a") | {"file_name": "x.jpg"}])
    (record,), skipped = read("refcoco", tmp_path)
    assert same(record, CUP) and not skipped.total


def test_an_object_whose_id_two_have_is_not_guessed(tmp_path: Path) -> None:
    make(tmp_path, [ref(0, 100, 9, "a"), ref(1, 101, 9, "b")])
    path = tmp_path / "refcoco/instances.json"
    content = json.loads(path.read_text())
    content["annotations"].append(content["annotations"][0] | {"segmentation": [rle(MAN)]})
    write(path, content)
    (record,), skipped = read("refcoco", tmp_path)
    assert record.source.endswith("ref 1")
    assert skipped.reasons()[0][0] == "its object is not in instances.json, or not under an id of its own"


def test_a_ring_that_is_none_is_remarked(tmp_path: Path) -> None:
    make(tmp_path, [ref(0, 100, 9, "a")])
    path = tmp_path / "refcoco/instances.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["segmentation"].insert(0, [1, 1, 2, 2])
    write(path, content)
    (record,), skipped = read("refcoco", tmp_path)
    assert same(record, CUP)
    ((remark, _, where),) = skipped.remarks()
    assert "fewer than three points" in remark and where == ("refcoco/refs(unc).p: ref 0",)


class _Runs:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("it-ran",)


@pytest.mark.parametrize(
    ("refs", "message"),
    [
        ([{"ref_id": _Runs()}], r"refs\(unc\)\.p: refused, .*\.mkdir"),
        ({"ref_id": 1}, r"refs\(unc\)\.p: a list of references was expected, not dict"),
    ],
)
def test_a_bad_pickle_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refs: Any, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path, refs)
    with pytest.raises(UsageError, match=message) as caught:
        read("refcoco", tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "it-ran").exists()


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"ref_id": 1}, "no 'ann_id'"),
        (ref(0, 100, 9, "a") | {"sentences": ["a"]}, "'sentences' is not a list of sentences with a text 'sent'"),
        (ref(0, 100, 9, "a") | {"ann_id": {}}, "'ann_id' that is neither a number nor text"),
        (ref(0, 100, 9, "a") | {"image_id": [9]}, "'image_id' that is neither a number nor text"),
        (ref(0, 100, 9, "a") | {"split": 1}, "'split' that is not text"),
        (3, "not a reference"),
    ],
)
def test_what_is_no_reference_is_noted_and_the_others_are_used(tmp_path: Path, broken: Any, reason: str) -> None:
    make(tmp_path, [ref(0, 100, 9, "a"), broken])
    records, skipped = read("refcoco", tmp_path)
    assert [record.source for record in records] == ["refcoco/refs(unc).p: ref 0"]
    assert skipped.reasons() == [(reason, 1, ("refcoco/refs(unc).p: reference 1",))]


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no refcocog/refs\(umd\)\.p or refcocog/refs\(google\)\.p in it"):
        read("refcocog", tmp_path)
    make(tmp_path, [])
    (tmp_path / "refcoco" / "instances.json").unlink()
    with pytest.raises(UsageError, match=r"instances\.json: no such file"):
        read("refcoco", tmp_path)
