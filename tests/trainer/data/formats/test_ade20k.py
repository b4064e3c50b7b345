"""ADE20K for scene parsing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.errors import UsageError
from tests.trainer.data.formats.made import box, photograph, read, same, told

BED, WALL = box(6, 0, 12, 20), box(0, 0, 6, 10)  # the rest is no class
INFO = (
    "Idx\tRatio\tTrain\tVal\tName\n1\t0.1576\t11664\t1172\twall\n8\t0.0231\t1906\t199\tbed \n"
    "22 \t0.0074\t709\t75\twater, aqua\n"
)


def make(root: Path, split: str, number: int, index: np.ndarray) -> None:
    name = f"ADE_{'train' if split == 'training' else 'val'}_{number:08}"
    photograph(root / "images" / split / f"{name}.jpg")
    (root / "annotations" / split).mkdir(parents=True, exist_ok=True)
    Image.fromarray(index).save(root / "annotations" / split / f"{name}.png")
    (root / "objectInfo150.txt").write_text(INFO)


def test_regions_are_named_by_their_first_synonym(tmp_path: Path) -> None:
    make(tmp_path, "training", 1, np.select([BED, WALL], [8, 1]).astype(np.uint8))
    make(tmp_path, "training", 2, np.full((12, 20), 22, np.uint8))
    make(tmp_path, "validation", 1, np.full((12, 20), 1, np.uint8))
    records, skipped = read("ade20k", tmp_path)
    assert [told(record) for record in records] == [
        ("Segment all classes in the image.", "<p> bed </p> [SEG], <p> wall </p> [SEG]"),
        ("Segment bed.", "<p> bed </p> [SEG]"),
        ("Please segment wall in the image.", "<p> wall </p> [SEG]"),
        ("Give a semantic segmentation of the image.", "<p> water </p> [SEG]"),
        ("Where is water? Answer with a mask.", "<p> water </p> [SEG]"),
        ("Segment bed.", "Sorry, I don't see any bed in this image."),
    ]
    assert same(records[0], BED, WALL) and same(records[2], WALL) and same(records[3], box(0, 0, 12, 20))
    assert (records[0].image, records[0].source) == (
        "images/training/ADE_train_00000001.jpg",
        "annotations/training/ADE_train_00000001.png",
    )
    assert skipped.total == 0


def test_photographs_for_validation_are_read_where_they_are_alone(tmp_path: Path) -> None:
    make(tmp_path, "validation", 1, np.full((12, 20), 1, np.uint8))
    make(tmp_path, "validation", 2, np.zeros((12, 20), np.uint8))
    make(tmp_path, "validation", 3, np.full((12, 20), 2, np.uint8))
    records, skipped = read("ade20k", tmp_path)
    assert {record.image for record in records} == {"images/validation/ADE_val_00000001.jpg"}
    assert {reason: where for reason, _, (where,) in skipped.reasons()} == {
        "no class in it": "annotations/validation/ADE_val_00000002.png",
        "a value that has no class": "annotations/validation/ADE_val_00000003.png",
    }


def test_bad_files_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"objectInfo150\.txt: no such file"):
        read("ade20k", tmp_path)
    (tmp_path / "objectInfo150.txt").write_text("Idx\tRatio\tTrain\tVal\tName\n1 0.1 wall\n")
    with pytest.raises(UsageError, match=r"objectInfo150\.txt: line 2: not index"):
        read("ade20k", tmp_path)
    (tmp_path / "objectInfo150.txt").write_text(INFO)
    with pytest.raises(UsageError, match="no images/training or images/validation in it"):
        read("ade20k", tmp_path)
    photograph(tmp_path / "images/training/a.jpg")
    with pytest.raises(UsageError, match=r"annotations/training: no such folder"):
        read("ade20k", tmp_path)
