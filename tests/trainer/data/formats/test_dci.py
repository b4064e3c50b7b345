"""Densely Captioned Images, in a fixture of its real layout."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.errors import UsageError
from engine.text.prompts import FAMILIES, Task
from tests.trainer.data.formats.made import HEIGHT, WIDTH, box, noted, photograph, read, same, told, write

HOUSE, DOOR, KNOB, TREE = box(0, 0, 10, 9), box(4, 2, 10, 5), box(7, 4, 8, 5), box(1, 12, 11, 18)


def png(mask: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(mask).convert("1").save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode("ascii")


def region(idx: int, parent: Any, label: str, caption: str, mask: np.ndarray, quality: int = 0) -> dict[str, Any]:
    return {
        "idx": idx,
        "parent": parent,
        "label": label,
        "caption": caption,
        "outer_mask": png(mask),
        "mask_quality": quality,
        "requirements": [],
        "bounds": {"topLeft": {"x": 0, "y": 0}, "bottomRight": {"x": 4, "y": 4}},
        "area": int(mask.sum()),
    }


def entry(*regions: dict[str, Any], **changes: Any) -> dict[str, Any]:
    regions = regions or (
        region(3, 1, "Knob", "It is brass.", KNOB),
        region(0, -1, "A House", "Its walls are white", HOUSE),
        region(1, "0", "Door", "", DOOR),
        region(2, -1, "Tree", "An old oak.", TREE),
    )
    return {
        "image": "sa_1.jpg",
        "short_caption": "A house by a tree",
        "extra_caption": "It is summer.",
        "mask_data": {str(one["idx"]): one for one in regions},
        "mask_keys": [str(one["idx"]) for one in regions],
    } | changes


def make(root: Path, content: Any) -> None:
    write(root / "annotations/sa_1.json", content)
    photograph(root / "photos/sa_1.jpg")


def test_the_photograph_and_every_region_with_parts_is_described(tmp_path: Path) -> None:
    make(tmp_path, entry())
    records, skipped = read("dci", tmp_path)
    assert {(record.image, record.height, record.width) for record in records} == {("photos/sa_1.jpg", HEIGHT, WIDTH)}
    assert [(record.source, record.task, *told(record)) for record in records] == [
        ("sa_1.json: short_caption", Task.CAPTION, FAMILIES[Task.CAPTION][0], "A house by a tree"),
        (
            "sa_1.json",
            Task.PANOPTIC_SEGCAP,
            FAMILIES[Task.PANOPTIC_SEGCAP][0],
            "A house by a tree. It is summer. <p> A House </p> [SEG]: Its walls are white. "
            "<p> Tree </p> [SEG]: An old oak.",
        ),
        (
            "sa_1.json: mask 0",
            Task.FINE_SEGCAP,
            "Describe a house in the image comprehensively, with interleaved masks.",
            "<p> A House </p> [SEG]: Its walls are white. <p> Door </p> [SEG].",
        ),
        (
            "sa_1.json: mask 1",
            Task.FINE_SEGCAP,
            "Give a comprehensive description of door and segment each part.",
            "<p> Door </p> [SEG]. <p> Knob </p> [SEG]: It is brass.",
        ),
    ]
    assert same(records[1], HOUSE, TREE)
    assert same(records[2], HOUSE, DOOR)
    assert same(records[3], DOOR, KNOB)
    assert not skipped.total


def test_what_a_bad_region_holds_goes_to_the_region_around_it(tmp_path: Path) -> None:
    regions = (
        region(0, -1, "House", "White.", HOUSE),
        region(1, 0, "Door", "", DOOR, quality=1),
        region(3, 1, "Knob", "Brass.", KNOB),
        {"idx": 4, "parent": -1, "mask_quality": 2, "outer_mask": png(TREE)},
    )
    make(tmp_path, entry(*regions))
    records, skipped = read("dci", tmp_path)
    assert [told(record)[1] for record in records[2:]] == ["<p> House </p> [SEG]: White. <p> Knob </p> [SEG]: Brass."]
    assert skipped.reasons() == [("a mask of low quality", 2, ("sa_1.json: mask 1", "sa_1.json: mask 4"))]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"outer_mask": "no png"}, "a mask that is not a PNG in base64"),
        ({"outer_mask": png(box(0, 0, 2, 2, 5, 5))}, "a mask of another size than its photograph"),
        ({"outer_mask": png(box(0, 0, 0, 0))}, "an empty mask"),
        ({"label": " "}, "a mask without a label"),
        ({"label": None}, "'label' that is not str"),
        ({"parent": "root"}, "'parent' that is not a whole number"),
        ({"parent": 77}, "a mask whose parent is not there"),
        ({"parent": 2}, "a mask whose parent is not there"),
    ],
)
def test_a_region_that_cannot_be_used_is_named(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    make(tmp_path, entry(region(0, -1, "House", "White.", HOUSE), region(2, 0, "Tree", "Old.", TREE) | change))
    records, skipped = read("dci", tmp_path)
    assert told(records[1])[1].endswith("<p> House </p> [SEG]: White.")
    assert skipped.reasons() == [(reason, 1, ("sa_1.json: mask 2",))]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"image": "gone.jpg"}, "its photograph is not there"),
        ({"mask_data": []}, "'mask_data' that is not dict"),
        ({"short_caption": None}, "'short_caption' that is not str"),
    ],
)
def test_an_entry_that_cannot_be_used_is_named(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    make(tmp_path, entry(**change))
    records, skipped = read("dci", tmp_path)
    assert all(record.task is Task.CAPTION for record in records)
    assert noted(skipped) == [(reason, 1, ("sa_1.json",))]


def test_only_the_training_split_is_read_where_splits_are_listed(tmp_path: Path) -> None:
    make(tmp_path, entry())
    write(tmp_path / "annotations/sa_2.json", entry(image="sa_2.jpg"))
    photograph(tmp_path / "photos/sa_2.jpg")
    write(tmp_path / "splits.json", {"train": ["sa_2.json"], "valid": ["sa_1.json"], "test": []})
    records, _ = read("dci", tmp_path)
    assert {record.image for record in records} == {"photos/sa_2.jpg"}


def test_missing_and_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="annotations: no such folder"):
        read("dci", tmp_path)
    (tmp_path / "annotations").mkdir()
    with pytest.raises(UsageError, match=r"annotations: no \*\.json in it"):
        read("dci", tmp_path)
    write(tmp_path / "splits.json", {"valid": []})
    with pytest.raises(UsageError, match=r"splits\.json: no 'train'"):
        read("dci", tmp_path)
    write(tmp_path / "splits.json", {"train": ["sa_1.json"]})
    with pytest.raises(UsageError, match=r"sa_1\.json: no such file"):
        read("dci", tmp_path)
