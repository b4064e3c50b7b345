"""COCO-style files: what is read, what is noted, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import UsageError
from engine.masks.rle import decode
from tests.trainer.data.formats.made import box, polygon, rle, write
from trainer.data.formats.base import Skipped
from trainer.data.formats.coco_file import CocoFile, first_of, mask_of, read_coco
from trainer.data.formats.photographs import Photograph

IMAGE = {"id": 7, "file_name": "a.jpg", "height": 12, "width": 20}
DOG = {"id": 18, "name": "dog"}
PHOTOGRAPH = Photograph("images/a.jpg", 12, 20)


def annotation(**keys: Any) -> dict[str, Any]:
    return {"id": 1, "image_id": 7, "category_id": 18, "segmentation": [polygon(0, 0, 4, 5)], "iscrowd": 0} | keys


def data(*annotations: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"images": [IMAGE], "categories": [DOG], "annotations": list(annotations)} | keys


def read_named(root: Path) -> tuple[CocoFile, Skipped]:
    skipped = Skipped()
    return read_coco(root / "i.json", skipped, named=True), skipped


def test_masks_are_polygons_run_lengths_or_lists_of_run_lengths(tmp_path: Path) -> None:
    two = [rle(box(0, 0, 2, 2)), rle(box(5, 5, 7, 7))]
    write(
        tmp_path / "i.json",
        data(annotation(), annotation(id=2, segmentation=rle(box(1, 1, 3, 3))), annotation(id=3, segmentation=two)),
    )
    file, skipped = read_named(tmp_path)
    masks = file.masks(file.images[0], PHOTOGRAPH, skipped)
    found = [(entry.id, entry.category, decode(mask)) for entry, mask in masks]
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
    file, skipped = read_named(tmp_path)
    assert list(file.masks(file.images[0], PHOTOGRAPH, skipped)) == []
    assert {reason: where for reason, _, (where,) in skipped.reasons()} == {
        "no mask": "i.json: annotation 1",
        "an empty mask": "i.json: annotation 2",
        "a mask of another size than its photograph": "i.json: annotation 3",
        "a polygon of fewer than three points": "i.json: annotation 4",
        "its image is not among the images": "i.json: annotation 5 (image_id: 8)",
        "its category is not among the categories": "i.json: annotation 6 (category_id: 19)",
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "not a COCO file"),
        ({"annotations": []}, "no list 'images'"),
        ({"images": [], "categories": []}, "no list 'annotations'"),
        (data(images=[7]), "entry 0 of images: not an object"),
        (
            data(images=[IMAGE, IMAGE | {"file_name": "b.jpg"}]),
            "entry 1 of images: id 7 for the second time, of 'a.jpg'",
        ),
        (data(categories=[{"id": 1}]), "entry 0 of categories: no 'name'"),
        (data(categories=[{"id": 1, "name": 5}]), "entry 0 of categories: 'name' is 5"),
        (data(categories=[{"id": None, "name": "a"}]), "entry 0 of categories: 'id' is None"),
        (
            data(categories=[DOG, {"id": 1, "name": "cat"}, {"id": 18.0, "name": "sun"}]),
            "entry 2 of categories: id 18 for the second time, once 'dog' and once 'sun'",
        ),
        ({"images": [IMAGE], "annotations": []}, "no list 'categories'"),
        (data(annotations=None), "no list 'annotations'"),
    ],
)
def test_what_is_no_coco_file_is_one_line_that_names_the_entry(tmp_path: Path, content: Any, message: str) -> None:
    write(tmp_path / "i.json", content)
    with pytest.raises(UsageError, match=rf"i\.json: .*{message}") as caught:
        read_named(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_file_of_captions_needs_no_categories(tmp_path: Path) -> None:
    write(tmp_path / "c.json", {"images": [IMAGE], "annotations": [{"image_id": 7, "caption": "A dog."}]})
    file = read_coco(tmp_path / "c.json", Skipped())
    assert [(entry.id, entry.category, entry.raw["caption"]) for entry in file.annotations[7]] == [("#0", "", "A dog.")]


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ({"file_name": None}, "no file name"),
        ({"file_name": 7}, "no file name"),
        ({"height": "twelve"}, "'height' that is not a whole number"),
        ({"width": float("nan")}, "'width' that is not a whole number"),
        ({"width": 20.5}, "'width' that is not a whole number"),
        ({"height": 0}, "an image of no size"),
        ({"height": -12}, "an image of no size"),
    ],
)
def test_an_image_that_cannot_be_used_is_noted_and_the_others_stay(
    tmp_path: Path, image: dict[str, Any], reason: str
) -> None:
    other = {"id": 8, "file_name": "b.jpg", "height": 12, "width": 20}
    write(tmp_path / "i.json", data(annotation(), annotation(id=2, image_id=8), images=[IMAGE | image, other]))
    file, skipped = read_named(tmp_path)
    assert [(one.id, len(file.annotations[one.id])) for one in file.images] == [(8, 1)]
    name = (IMAGE | image)["file_name"]
    assert skipped.reasons() == [
        (reason, 1, (f"i.json: image 7 (file name: {name!r})",)),
        ("its image can't be used", 1, ("i.json: annotation 1 (image_id: 7)",)),
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"image_id": None}, "its image is not among the images"),
        ({"image_id": [7]}, "its image is not among the images"),
        ({"image_id": True}, "its image is not among the images"),
        ({"category_id": {}}, "its category is not among the categories"),
        ({"category_id": float("nan")}, "its category is not among the categories"),
    ],
)
def test_ids_that_are_none_are_noted(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    write(tmp_path / "i.json", data(annotation(), annotation(id=2) | change))
    file, skipped = read_named(tmp_path)
    assert [one.id for one in file.annotations[7]] == [1]
    ((found, count, (where,)),) = skipped.reasons()
    ((key, value),) = change.items()
    assert (found, count, where) == (reason, 1, f"i.json: annotation 2 ({key}: {value!r})")
    write(tmp_path / "i.json", data(annotation(), {k: v for k, v in annotation(id=2).items() if k != key}))
    assert read_named(tmp_path)[1].reasons() == [(f"no {key!r}", 1, ("i.json: annotation 2",))]


def test_an_image_listed_twice_is_read_once(tmp_path: Path) -> None:
    write(tmp_path / "i.json", data(annotation(), images=[IMAGE, IMAGE]))
    file, skipped = read_named(tmp_path)
    assert len(file.images) == 1
    assert skipped.reasons() == [("an image that is listed twice", 1, ("i.json: image 7",))]


@pytest.mark.parametrize(
    ("image", "category"), [(7, 18), ("7", "18"), (7.0, 18.0), ("007", "18.0"), ("photo", "class"), (10**12, 74673216)]
)
@pytest.mark.parametrize("as_text", [False, True])
def test_ids_may_be_written_in_two_ways(tmp_path: Path, image: Any, category: Any, as_text: bool) -> None:
    write_as = str if as_text else lambda value: value
    given = data(
        annotation(image_id=write_as(image), category_id=write_as(category)),
        images=[IMAGE | {"id": image, "height": 12.0, "width": "20"}],
        categories=[{"id": category, "name": "dog"}],
    )
    write(tmp_path / "i.json", given)
    file, skipped = read_named(tmp_path)
    assert not skipped.total
    ((found, _),) = file.masks(file.images[0], PHOTOGRAPH, skipped)
    assert (found.category, found.image, file.images[0].size) == ("dog", file.images[0].id, (12, 20))


def test_categories_of_one_name_are_one_class(tmp_path: Path) -> None:
    names = [{"id": n, "name": name} for n, name in enumerate(["fish", "Fish", " fish\t", "gold  fish", "gold fish"])]
    write(tmp_path / "i.json", data(*(annotation(id=n, category_id=n) for n in range(5)), categories=names))
    file, skipped = read_named(tmp_path)
    assert [one.category for one in file.annotations[7]] == ["fish"] * 3 + ["gold fish"] * 2
    assert not skipped.total


@pytest.mark.parametrize(("value", "crowd"), [(0, False), ("0", False), (0.0, False), (None, False), ("1", True)])
def test_a_crowd_is_said_in_many_ways(tmp_path: Path, value: Any, crowd: bool) -> None:
    write(tmp_path / "i.json", data(annotation(iscrowd=value)))
    assert read_named(tmp_path)[0].annotations[7][0].crowd is crowd


def test_an_object_of_which_it_is_not_clear_whether_it_is_a_crowd_is_noted_but_there(tmp_path: Path) -> None:
    """So that nobody takes the rest of its class for all of it."""
    write(tmp_path / "i.json", data(annotation(iscrowd="maybe")))
    file, skipped = read_named(tmp_path)
    assert len(file.annotations[7]) == 1
    assert not list(file.masks(file.images[0], PHOTOGRAPH, skipped))
    assert skipped.reasons() == [("'iscrowd' that is neither 0 nor 1", 1, ("i.json: annotation 1",))]


def test_a_ring_that_is_none_is_remarked(tmp_path: Path) -> None:
    write(tmp_path / "i.json", data(annotation(segmentation=[[1, 1, 2, 2], polygon(0, 0, 4, 5)])))
    file, skipped = read_named(tmp_path)
    ((_, mask),) = file.masks(file.images[0], PHOTOGRAPH, skipped)
    assert np.array_equal(decode(mask), box(0, 0, 4, 5))
    ((remark, count, where),) = skipped.remarks()
    assert "fewer than three points" in remark and (count, where) == (1, ("i.json: annotation 1",))
    assert not skipped.total


def test_an_image_without_a_size_has_masks_once_its_photograph_is_known(tmp_path: Path) -> None:
    write(tmp_path / "i.json", data(annotation(), images=[{"id": 7, "file_name": "a.jpg"}]))
    file, skipped = read_named(tmp_path)
    assert file.images[0].size == (None, None)
    assert len(list(file.masks(file.images[0], PHOTOGRAPH, skipped))) == 1
    with pytest.raises(ValueError, match="an image without a size"):
        mask_of(file.annotations[7][0], file.images[0])


def test_other_files_look_entries_up(tmp_path: Path) -> None:
    write(tmp_path / "i.json", data(annotation(), annotation(id=2), annotation(id="2"), annotation(id=1)))
    file, _ = read_named(tmp_path)
    assert file.images_by_id().get("7") is file.images[0]
    found = file.annotations_by_id()
    # Which one is meant by an id that two have, nobody knows.
    assert (found.get(1), found.get("1")) == (None, None)
    assert found.get(2) is file.annotations[7][1] and found.get("2") is file.annotations[7][2]


def test_a_million_reasons_are_not_kept() -> None:
    skipped = Skipped()
    for number in range(1_000):
        skipped.add(f"entry {number}", f"reason {number}")
    assert skipped.total == 1_000
    assert len(skipped.reasons()) == 101
    assert skipped.reasons()[0] == ("other reasons", 900, ("entry 100", "entry 101", "entry 102"))


def test_the_first_file_that_is_there_is_taken(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    assert first_of(tmp_path, "a", "b") == "b"
    with pytest.raises(UsageError, match="no a or c in it"):
        first_of(tmp_path, "a", "c")
