"""COCO-style files: what is read, what is noted, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import UsageError
from engine.masks.rle import decode
from tests.trainer.data.formats.made import box, photograph, polygon, rle, write
from trainer.data.formats.base import Skipped
from trainer.data.formats.coco_file import first_of, is_usable, read_coco

IMAGE = {"id": 7, "file_name": "a.jpg", "height": 12, "width": 20}
DOG = {"id": 18, "name": "dog"}


def annotation(**keys: Any) -> dict[str, Any]:
    return {"id": 1, "image_id": 7, "category_id": 18, "segmentation": [polygon(0, 0, 4, 5)], "iscrowd": 0} | keys


def data(*annotations: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"images": [IMAGE], "categories": [DOG], "annotations": list(annotations)} | keys


def test_masks_are_polygons_run_lengths_or_lists_of_run_lengths(tmp_path: Path) -> None:
    two = [rle(box(0, 0, 2, 2)), rle(box(5, 5, 7, 7))]
    write(
        tmp_path / "i.json",
        data(annotation(), annotation(id=2, segmentation=rle(box(1, 1, 3, 3))), annotation(id=3, segmentation=two)),
    )
    skipped = Skipped()
    file = read_coco(tmp_path / "i.json", skipped)
    found = [(entry.id, entry.category, decode(mask)) for entry, mask in file.masks(file.images[0], skipped)]
    assert [entry[:2] for entry in found] == [(1, "dog"), (2, "dog"), (3, "dog")]
    assert np.array_equal(found[0][2], box(0, 0, 4, 5))
    assert np.array_equal(found[1][2], box(1, 1, 3, 3))
    assert np.array_equal(found[2][2], box(0, 0, 2, 2) | box(5, 5, 7, 7))
    assert skipped.total == 0


def test_unusable_annotations_are_noted_with_their_reason(tmp_path: Path) -> None:
    write(
        tmp_path / "i.json",
        data(
            annotation(id=1, segmentation=[]),
            annotation(id=2, segmentation=rle(box(0, 0, 0, 0))),
            annotation(id=3, segmentation=rle(box(0, 0, 2, 2, height=13))),
            annotation(id=4, segmentation=[[1, 2, 3, 4]]),
            annotation(id=5, image_id=8),
            annotation(id=6, category_id=19),
        ),
    )
    skipped = Skipped()
    file = read_coco(tmp_path / "i.json", skipped)
    assert list(file.masks(file.images[0], skipped)) == []
    assert {reason: where for reason, _, (where,) in skipped.reasons()} == {
        "no mask": "i.json: annotation 1",
        "an empty mask": "i.json: annotation 2",
        "a mask of another size than its photograph": "i.json: annotation 3",
        "a polygon of fewer than three points": "i.json: annotation 4",
        "its image is not among the images": "i.json: annotation 5",
        "its category is not among the categories": "i.json: annotation 6",
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "not a COCO file"),
        ({"annotations": []}, "no list 'images'"),
        ({"images": []}, "no list 'annotations'"),
        (data(images=[7]), "entry 0 of images: not an object"),
        (data(images=[IMAGE, IMAGE]), "entry 1 of images: id 7 for the second time"),
        (data(images=[{"id": 7, "file_name": "a.jpg", "height": 12}]), "entry 0 of images: no 'width'"),
        (data(images=[IMAGE | {"height": "12"}]), "entry 0 of images: 'height' is '12'"),
        (data(images=[IMAGE | {"height": 0}]), "entry 0 of images: 0 x 20 is no size"),
        (data(categories=[{"id": 1}]), "entry 0 of categories: no 'name'"),
        (data({"id": 1, "category_id": 18}), "entry 0 of annotations: no 'image_id'"),
        (data({"id": 1, "image_id": 7}), "entry 0 of annotations: no 'category_id'"),
        (data(annotation(id=[1])), r"entry 0 of annotations: 'id' is \[1\]"),
    ],
)
def test_what_is_no_coco_file_is_one_line_that_names_the_entry(tmp_path: Path, content: Any, message: str) -> None:
    write(tmp_path / "i.json", content)
    with pytest.raises(UsageError, match=rf"i\.json: .*{message}") as caught:
        read_coco(tmp_path / "i.json", Skipped())
    assert "\n" not in str(caught.value)


def test_a_file_of_captions_needs_no_categories(tmp_path: Path) -> None:
    write(tmp_path / "c.json", {"images": [IMAGE], "annotations": [{"image_id": 7, "caption": "A dog."}]})
    file = read_coco(tmp_path / "c.json", Skipped())
    assert [(entry.id, entry.category, entry.raw["caption"]) for entry in file.annotations[7]] == [(0, "", "A dog.")]


def test_a_photograph_must_be_there_and_have_the_size_of_its_annotation(tmp_path: Path) -> None:
    photograph(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes(b"no photograph")
    skipped = Skipped()
    assert is_usable(tmp_path, "a.jpg", 12, 20, "one", skipped)
    assert not is_usable(tmp_path, "a.jpg", 20, 12, "two", skipped)
    assert not is_usable(tmp_path, "b.jpg", 12, 20, "three", skipped)
    assert not is_usable(tmp_path, "c.jpg", 12, 20, "four", skipped)
    assert skipped.reasons() == [
        ("its photograph is missing or broken", 2, ("three", "four")),
        ("its photograph has another size than its annotation says", 1, ("two",)),
    ]


def test_the_first_file_that_is_there_is_taken(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    assert first_of(tmp_path, "a", "b") == "b"
    with pytest.raises(UsageError, match="no a or c in it"):
        first_of(tmp_path, "a", "c")
