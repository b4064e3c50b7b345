"""The four files of GranD-f, in fixtures of their real layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import UsageError
from engine.text.prompts import FAMILIES, Task
from tests.trainer.data.formats.made import (
    HEIGHT,
    TAGGED,
    WIDTH,
    box,
    noted,
    photograph,
    polygon,
    read,
    rle,
    same,
    told,
    write,
)

ANNOTATIONS = Path("GranDf/annotations/train")
MAN, DOG, TAIL = box(0, 0, 6, 5), box(4, 10, 9, 15), box(4, 15, 5, 18)


def human(**changes: Any) -> dict[str, Any]:
    return {
        "file_name": "sa_1.jpg",
        "image_id": 1,
        "height": HEIGHT,
        "width": WIDTH,
        "caption": '"A man walks his dog, and the dog runs."',
        "groundings": {
            "the dog": {"token_positives": [25, 32], "rle_masks": [rle(DOG), rle(TAIL)]},
            "A man": {"token_positives": [0, 5], "rle_masks": [rle(MAN)]},
        },
    } | changes


@pytest.mark.parametrize(
    ("name", "file", "stored", "image"),
    [
        ("grandf-human", "GranDf_HA_GCG_train.json", "sa_1.jpg", "GranDf_HA_images/train/sa_1.jpg"),
        ("grandf-openpsg", "OpenPsgGCG_train.json", "1.jpg", "coco_2017/train2017/1.jpg"),
        ("grandf-openpsg", "OpenPsgGCG_train.json", "val2017/1.jpg", "coco_2017/val2017/1.jpg"),
    ],
)
def test_phrases_of_groundings_get_one_mask_each(tmp_path: Path, name: str, file: str, stored: str, image: str) -> None:
    write(tmp_path / ANNOTATIONS / file, [human(file_name=stored)])
    photograph(tmp_path / image)
    (record,), skipped = read(name, tmp_path)
    assert (record.image, record.height, record.width, record.task) == (image, HEIGHT, WIDTH, Task.GCG)
    assert told(record) == (
        FAMILIES[Task.GCG][0],
        "<p> A man </p> [SEG] walks his dog, and <p> the dog </p> [SEG] runs.",
    )
    assert same(record, MAN, DOG | TAIL)
    assert record.source == f"{file}: entry 0"
    assert not skipped.total


def test_a_phrase_that_cannot_be_used_is_noted_and_the_others_stay(tmp_path: Path) -> None:
    groundings = {
        "A man": {"token_positives": [0, 5], "rle_masks": [rle(MAN)]},
        "a cat": {"token_positives": [-1, -1], "rle_masks": [rle(DOG)]},
        "his dog": {"token_positives": [12, 19], "rle_masks": []},
    }
    write(tmp_path / ANNOTATIONS / "GranDf_HA_GCG_train.json", [human(groundings=groundings)])
    photograph(tmp_path / "GranDf_HA_images/train/sa_1.jpg")
    (record,), skipped = read("grandf-human", tmp_path)
    assert told(record)[1] == "<p> A man </p> [SEG] walks his dog, and the dog runs."
    assert set(skipped.reasons()) == {
        ("a phrase that is not in its caption", 1, ("GranDf_HA_GCG_train.json: entry 0: 'a cat'",)),
        ("no mask", 1, ("GranDf_HA_GCG_train.json: entry 0: 'his dog'",)),
    }


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (human(groundings={}), "no phrase with a mask"),
        (human(groundings=[]), "'groundings' that is not dict"),
        ({"file_name": "sa_1.jpg"}, "no 'caption'"),
        (human(file_name="gone.jpg"), "its photograph is not there"),
        (human(caption="A man [SEG] walks his dog, and the dog runs."), TAGGED),
        (
            human(groundings={
                "A man": {"token_positives": [0, 5], "rle_masks": [rle(MAN)]},
                "his dog": {"token_positives": [12, 19], "rle_masks": [rle(box(0, 0, 2, 2, 5, 5))]},
            }),
            "masks of different sizes",
        ),
    ],
)  # fmt: skip
def test_an_entry_that_cannot_be_used_is_counted_and_named(tmp_path: Path, entry: Any, reason: str) -> None:
    write(tmp_path / ANNOTATIONS / "GranDf_HA_GCG_train.json", [human(), entry])
    photograph(tmp_path / "GranDf_HA_images/train/sa_1.jpg")
    records, skipped = read("grandf-human", tmp_path)
    assert len(records) == 1
    assert noted(skipped) == [(reason, 1, ("GranDf_HA_GCG_train.json: entry 1",))]


def refs(**changes: Any) -> dict[str, Any]:
    content = {
        "img_file_name": "COCO_train2014_000000000001.jpg",
        "caption": "A Man in a hat walks the dog.",
        "refs": [
            {"sentence": "the dog", "bbox": [10, 4, 5, 5], "segmentation": [polygon(4, 10, 9, 15)]},
            {"sentence": "a man in a hat", "bbox": [0, 0, 5, 6], "segmentation": [polygon(0, 0, 6, 5)]},
            {"sentence": "a hat", "bbox": [1, 0, 3, 2], "segmentation": [polygon(0, 1, 2, 4)]},
            {"sentence": "the cat", "bbox": [0, 0, 5, 6], "segmentation": [polygon(0, 0, 6, 5)]},
        ],
    }
    return {"1": content | changes}


def test_refs_of_refcocog_are_found_in_the_caption(tmp_path: Path) -> None:
    write(tmp_path / ANNOTATIONS / "RefCOCOg_GCG_train.json", [refs()])
    photograph(tmp_path / "coco_2014/train2014/COCO_train2014_000000000001.jpg")
    (record,), skipped = read("grandf-refcocog", tmp_path)
    assert record.image == "coco_2014/train2014/COCO_train2014_000000000001.jpg"
    assert told(record)[1] == "<p> A Man in </p> [SEG] <p> a hat </p> [SEG] walks <p> the dog </p> [SEG]."
    assert same(record, MAN, box(0, 1, 2, 4), DOG)
    assert skipped.reasons() == [
        ("a phrase that is not in its caption", 1, ("RefCOCOg_GCG_train.json: entry 0: ref 3",))
    ]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (refs(img_file_name="gone.jpg"), "its photograph is not there"),
        (refs(refs=[]), "no phrase with a mask"),
        ({}, "an entry that is not an object of one image"),
    ],
)
def test_an_entry_of_refcocog_that_cannot_be_used_is_named(tmp_path: Path, entry: Any, reason: str) -> None:
    write(tmp_path / ANNOTATIONS / "RefCOCOg_GCG_train.json", [entry])
    photograph(tmp_path / "coco_2014/train2014/COCO_train2014_000000000001.jpg")
    records, skipped = read("grandf-refcocog", tmp_path)
    assert not records
    assert noted(skipped) == [(reason, 1, ("RefCOCOg_GCG_train.json: entry 0",))]


def flickr(annotations: list[dict[str, Any]], caption: str = "Two dogs chase a man.") -> dict[str, Any]:
    image = {"id": 5, "file_name": "1000092795.jpg", "height": HEIGHT, "width": WIDTH, "caption": caption}
    return {"images": [image], "annotations": annotations, "categories": [{"id": 1, "name": "object"}]}


def flickr_object(mask: Any, span: list[int], **changes: Any) -> dict[str, Any]:
    return {"image_id": 5, "tokens_positive": [span], "sam_mask": rle(mask), "bbox": [0, 0, 2, 2], "area": 4} | changes


def test_objects_of_one_phrase_of_flickr_are_several_targets_from_left_to_right(tmp_path: Path) -> None:
    objects = [flickr_object(DOG, [0, 8]), flickr_object(TAIL, [15, 20]), flickr_object(MAN, [0, 8])]
    write(tmp_path / ANNOTATIONS / "flickr_mergedGT_GCG_train.json", flickr(objects))
    photograph(tmp_path / "flikcr_30k/train/1000092795.jpg")
    (record,), skipped = read("grandf-flickr", tmp_path)
    assert record.image == "flikcr_30k/train/1000092795.jpg"
    assert told(record)[1] == "<p> Two dogs </p> [SEG] [SEG] chase <p> a man </p> [SEG]."
    assert same(record, MAN, DOG, TAIL)
    assert record.source == "flickr_mergedGT_GCG_train.json: image 0"
    assert not skipped.total


def test_objects_of_flickr_that_cannot_be_used_are_counted_and_named(tmp_path: Path) -> None:
    objects = [
        flickr_object(MAN, [0, 8]),
        flickr_object(DOG, [0, 8], ignore=1),
        flickr_object(DOG, [0, 80]),
        flickr_object(DOG, [], tokens_positive=[]),
        flickr_object(DOG, [0, 8], sam_mask=None),
        {"tokens_positive": [[0, 8]]},
    ]
    write(tmp_path / ANNOTATIONS / "flickr_mergedGT_GCG_train.json", flickr(objects))
    photograph(tmp_path / "flikcr_30k/train/1000092795.jpg")
    (record,), skipped = read("grandf-flickr", tmp_path)
    assert same(record, MAN)
    image = "flickr_mergedGT_GCG_train.json: image 0: object"
    assert set(skipped.reasons()) == {
        ("an object marked to be ignored", 1, (f"{image} 1",)),
        ("a range outside its caption", 1, (f"{image} 2",)),
        ("an object without a phrase", 1, (f"{image} 3",)),
        ("a mask that is not an object with size and counts", 1, (f"{image} 4",)),
        ("no 'image_id'", 1, ("flickr_mergedGT_GCG_train.json: annotation 5",)),
    }


def test_ids_and_marks_of_flickr_may_come_from_tables(tmp_path: Path) -> None:
    objects = [
        flickr_object(MAN, [0, 8], image_id="5", ignore="0"),
        flickr_object(DOG, [0, 8], image_id=5.0, ignore=float("nan")),
        flickr_object(TAIL, [0, 8], ignore="1"),
    ]
    write(tmp_path / ANNOTATIONS / "flickr_mergedGT_GCG_train.json", flickr(objects))
    photograph(tmp_path / "flikcr_30k/train/1000092795.jpg")
    (record,), skipped = read("grandf-flickr", tmp_path)
    assert same(record, MAN, DOG)
    assert skipped.reasons() == [
        ("an object marked to be ignored", 1, ("flickr_mergedGT_GCG_train.json: image 0: object 2",))
    ]


def test_a_ring_of_refcocog_that_is_none_is_remarked(tmp_path: Path) -> None:
    content = refs()
    write(tmp_path / ANNOTATIONS / "RefCOCOg_GCG_train.json", [content])
    photograph(tmp_path / "coco_2014/train2014/COCO_train2014_000000000001.jpg")
    expected, _ = read("grandf-refcocog", tmp_path)
    (inner,) = content.values()
    for one in inner["refs"]:
        one["segmentation"] = [[1, 1, 2, 2], *one["segmentation"]]
    write(tmp_path / ANNOTATIONS / "RefCOCOg_GCG_train.json", [content])
    records, skipped = read("grandf-refcocog", tmp_path)
    assert records == expected
    ((remark, count, _),) = skipped.remarks()
    assert "fewer than three points" in remark and count == len(records[0].masks)


def test_a_short_caption_of_flickr_is_left_out(tmp_path: Path) -> None:
    content = flickr([flickr_object(MAN, [0, 4])], "Dogs run.")
    write(tmp_path / ANNOTATIONS / "flickr_mergedGT_GCG_train.json", content)
    records, skipped = read("grandf-flickr", tmp_path)
    assert not records
    assert skipped.reasons() == [("a caption of fewer than 3 words", 1, ("flickr_mergedGT_GCG_train.json: image 0",))]


@pytest.mark.parametrize("name", ["grandf-human", "grandf-openpsg", "grandf-refcocog", "grandf-flickr"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"GCG_train\.json: no such file"):
        read(name, tmp_path)


@pytest.mark.parametrize(
    ("name", "file", "message"),
    [
        ("grandf-human", "GranDf_HA_GCG_train.json", "a list was expected"),
        ("grandf-flickr", "flickr_mergedGT_GCG_train.json", "no 'images'"),
    ],
)
def test_a_file_of_something_else_is_named(tmp_path: Path, name: str, file: str, message: str) -> None:
    write(tmp_path / ANNOTATIONS / file, {})
    with pytest.raises(UsageError, match=f"{file}: {message}"):
        read(name, tmp_path)
