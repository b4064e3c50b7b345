"""The pixel maps of COCO-Stuff."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.errors import UsageError
from tests.trainer.data.formats.made import box, photograph, read, same, told
from trainer.data.formats.coco_stuff import spoken

LABELS = "0: unlabeled\n1: person\n148: river\n171: wall-brick\n173: wall-other\n"
WALL, BRICK, PERSON = box(0, 0, 6, 20), box(6, 0, 12, 8), box(6, 8, 12, 13)  # the rest is unlabelled
INDEX = np.select([WALL, BRICK, PERSON], [172, 170, 0], 255).astype(np.uint8)


def make(root: Path, name: str, index: np.ndarray, split: str = "train2017") -> None:
    (root / "labels.txt").write_text(LABELS)
    photograph(root / "images" / split / f"{name}.jpg")
    (root / "annotations" / split).mkdir(parents=True, exist_ok=True)
    Image.fromarray(index).save(root / "annotations" / split / f"{name}.png")


def test_values_are_labels_less_one_and_kinds_are_not_asked_for(tmp_path: Path) -> None:
    make(tmp_path, "000000000009", INDEX)
    make(tmp_path, "000000000025", np.full((12, 20), 147, np.uint8))
    make(tmp_path, "000000000030", INDEX, "val2017")
    records, skipped = read("coco-stuff", tmp_path)
    assert [told(record) for record in records] == [
        ("Segment all classes in the image.", "<p> wall </p> [SEG], <p> brick wall </p> [SEG], <p> person </p> [SEG]"),
        ("Segment person.", "<p> person </p> [SEG]"),
        ("Give a semantic segmentation of the image.", "<p> river </p> [SEG]"),
        ("Please segment river in the image.", "<p> river </p> [SEG]"),
        ("Where is person? Answer with a mask.", "Sorry, I don't see any person in this image."),
    ]
    assert same(records[0], WALL, BRICK, PERSON) and same(records[1], PERSON)
    assert records[0].image == "images/train2017/000000000009.jpg"
    assert records[0].source == "annotations/train2017/000000000009.png"
    assert skipped.total == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("person", "person"),
        ("dining table", "dining table"),
        ("wall-brick", "brick wall"),
        ("wall-other-merged", "wall"),
        ("tree-merged", "tree"),
        ("desk-stuff", "desk"),
        ("window-blind", "window blind"),
    ],
)
def test_how_classes_are_spoken_of(name: str, words: str) -> None:
    assert spoken(name) == words


def test_bad_files_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"labels\.txt: no such file"):
        read("coco-stuff", tmp_path)
    (tmp_path / "labels.txt").write_text("0: unlabeled\nperson\n")
    with pytest.raises(UsageError, match=r"labels\.txt: line 2: not `number: name`"):
        read("coco-stuff", tmp_path)
    (tmp_path / "labels.txt").write_text(LABELS)
    with pytest.raises(UsageError, match="no images/train2017 or images/val2017 in it"):
        read("coco-stuff", tmp_path)
