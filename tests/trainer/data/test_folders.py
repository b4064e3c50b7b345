"""The folder layouts: made-up ones, and the real photographs where they are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.errors import UsageError
from engine.text.grammar import parse
from engine.text.prompts import Task
from trainer.data.augment import augment
from trainer.data.compose import conversations
from trainer.data.corpus import corpus
from trainer.data.folders import camvid, captioned, ccp, coco, one_person
from trainer.data.scene import IGNORE
from trainer.data.sets import open_sets


def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    for read in (lambda: ccp(tmp_path, "train"), lambda: camvid(tmp_path, "val"), lambda: coco(tmp_path, "train"),
                 lambda: captioned(tmp_path), lambda: one_person(tmp_path)):  # fmt: skip
        with pytest.raises(UsageError) as caught:
            read()
        assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


def test_index_maps(tmp_path: Path) -> None:
    folder = tmp_path / "camvid" / "train"
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    (tmp_path / "camvid" / "classes.txt").write_text("sky\nroad\nunlabelled\n" * 1)
    index = np.zeros((20, 30), np.uint8)
    index[10:] = 1
    index[0, :5] = 11
    Image.fromarray(index).save(folder / "labels" / "a.png")
    Image.new("RGB", (30, 20)).save(folder / "images" / "a.jpg")
    street = camvid(tmp_path, "train")
    scene = street.load(street.items[0])
    assert [(thing.label, thing.stuff, thing.mask.sum()) for thing in scene.things] == [
        ("sky", True, 295),
        ("road", True, 300),
    ]
    assert scene.semantic is not None and (scene.semantic == IGNORE).sum() == 5
    Image.new("RGB", (31, 20)).save(folder / "images" / "a.jpg")
    with pytest.raises(UsageError, match="size differs"):
        street.load(street.items[0])


def test_objects(tmp_path: Path) -> None:
    folder = tmp_path / "coco" / "train"
    (folder / "images").mkdir(parents=True)
    Image.new("RGB", (30, 20)).save(folder / "images" / "a.jpg")
    square = [[0, 0, 20, 0, 20, 20, 0, 20]]
    inner = [[5, 5, 10, 5, 10, 10, 5, 10]]
    crowd = {"size": [20, 30], "counts": [20 * 25, 20 * 5]}
    data = {
        "images": [{"id": 7, "file_name": "a.jpg"}],
        "categories": [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}],
        "annotations": [
            {"image_id": 7, "category_id": 18, "segmentation": inner, "iscrowd": 0},
            {"image_id": 7, "category_id": 1, "segmentation": square, "iscrowd": 0},
            {"image_id": 7, "category_id": 1, "segmentation": crowd, "iscrowd": 1},
        ],
    }
    (folder / "instances.json").write_text(json.dumps(data))
    (folder / "captions.json").write_text(json.dumps({"annotations": [{"image_id": 7, "caption": "a dog"}]}))
    found = coco(tmp_path, "train")
    scene = found.load(found.items[0])
    assert found.classes == ("background", "person", "dog")
    assert [(thing.label, thing.mask.sum()) for thing in scene.things] == [("dog", 25), ("person", 400)]
    assert (scene.captions, scene.crowds) == (("a dog",), ("person",))
    assert scene.semantic is not None
    assert [int((scene.semantic == value).sum()) for value in (0, 1, 2, IGNORE)] == [100, 375, 25, 100]


def street(root: Path, index: np.ndarray, **options: object) -> None:
    folder = root / "camvid" / "train"
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (root / "camvid" / "classes.txt").write_bytes("sky\r\nroad\r\nunlabelled\r\n".encode("utf-8-sig"))
    Image.fromarray(index).save(folder / "labels" / "a.png", **options)  # type: ignore[arg-type]
    Image.new("RGB", (30, 20)).save(folder / "images" / "a.jpg")


def test_index_maps_as_other_tools_write_them(tmp_path: Path) -> None:
    index = np.zeros((20, 30), np.uint8)
    index[10:] = 1
    for other in (index, np.stack([index] * 3, -1), index.astype(np.uint16)):
        street(tmp_path, other)
        found = camvid(tmp_path, "train")
        scene = found.load(found.items[0])
        assert [(thing.label, thing.mask.sum()) for thing in scene.things] == [("sky", 300), ("road", 300)]


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        (np.full((20, 30), 7, np.uint8), "the value 7 has no class"),
        (np.full((20, 30), 40_000, np.uint16), "the value 40000 has no class"),
        (np.full((20, 30, 3), (1, 2, 3), np.uint8), "more than one number per pixel"),
    ],
)
def test_index_maps_that_are_none_are_one_line(tmp_path: Path, index: np.ndarray, reason: str) -> None:
    street(tmp_path, index)
    found = camvid(tmp_path, "train")
    with pytest.raises(UsageError, match=rf"a\.png: .*{reason}"):
        found.load(found.items[0])


def objects(root: Path, image: dict[str, object], *annotations: dict[str, object]) -> None:
    folder = root / "coco" / "train"
    (folder / "images").mkdir(parents=True)
    Image.new("RGB", (30, 20)).save(folder / "images" / "a.jpg")
    names = [{"id": "18", "name": "dog"}, {"id": 19.0, "name": "Dog"}]
    data = {"images": [image], "categories": names, "annotations": list(annotations)}
    (folder / "instances.json").write_text(json.dumps(data), encoding="utf-8-sig")
    (folder / "captions.json").write_text(json.dumps({"annotations": [{"image_id": 7.0, "caption": "a dog"}]}))


def test_objects_as_other_tools_write_them(tmp_path: Path) -> None:
    ring = [0, 0, 20, 0, 20, 20, 0, 20]
    objects(
        tmp_path,
        {"id": "7", "file_name": "a.jpg"},
        {"image_id": 7, "category_id": 18, "segmentation": [[1, 1, 2, 2], ring], "iscrowd": "0"},
        {"image_id": "7", "category_id": "19", "segmentation": [ring], "iscrowd": None},
    )
    found = coco(tmp_path, "train")
    assert found.classes == ("background", "dog")
    scene = found.load(found.items[0])
    assert [(thing.label, thing.mask.sum()) for thing in scene.things] == [("dog", 400)] * 2
    assert (scene.captions, scene.crowds) == (("a dog",), ())


@pytest.mark.parametrize(
    ("image", "annotation", "reason"),
    [
        ({"file_name": "../a.jpg"}, {}, "not a name below the folder"),
        ({"file_name": None}, {}, "no file name"),
        ({}, {"image_id": 8}, "its image is not among the images"),
        ({}, {"category_id": 20}, "its category is not among the categories"),
        ({}, {"segmentation": [[1, 1, 2, 2]]}, "a polygon of fewer than three points"),
        ({}, {"segmentation": {"size": [20, 30], "counts": [1]}}, "counts that end before they fill"),
    ],
)
def test_objects_that_cannot_be_used_are_one_line(
    tmp_path: Path, image: dict[str, object], annotation: dict[str, object], reason: str
) -> None:
    entry = {"image_id": 7, "category_id": 18, "segmentation": [[0, 0, 9, 0, 9, 9]]} | annotation
    objects(tmp_path, {"id": 7, "file_name": "a.jpg"} | image, entry)
    with pytest.raises(UsageError, match=reason) as caught:
        found = coco(tmp_path, "train")
        found.load(found.items[0])
    assert "\n" not in str(caught.value)


def test_real_photographs(data_root: Path) -> None:
    rng = np.random.default_rng(0)
    seen: set[Task] = set()
    for folder in open_sets(data_root).values():
        assert len(folder)
        for number in rng.permutation(len(folder))[:12]:
            scene = folder.load(folder.items[int(number)])
            if scene.semantic is not None:
                assert set(np.unique(scene.semantic)) <= {*range(len(folder.classes)), IGNORE}
            scene = augment(scene, rng, 160, train=True)
            made = conversations(scene, rng)
            seen.update(entry.task for entry in made)
            for entry in made:
                assert parse(entry.answer).seg_count == len(entry.masks)
                known = [mask for mask in entry.masks if mask is not None]
                # Photographs that have captions only have no masks, and no others lack any.
                assert len(known) == (0 if scene.kind == "captions" else len(entry.masks))
                assert all(mask.shape == scene.image.shape[:2] and mask.any() for mask in known)
    assert seen == set(Task)


def test_corpus(data_root: Path) -> None:
    texts = list(corpus(open_sets(data_root).values(), scenes=2))
    assert len(texts) > 12_000 and any("[SEG]" in text for text in texts)
