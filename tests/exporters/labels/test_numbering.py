"""Ids follow from the photograph and the place in its record, whatever the filters are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.journal import LARGEST, Index, Journal, RunInfo, Start
from engine.masks import rle
from engine.records import Mask, PhotoRecord, SegCap
from engine.text.grammar import parse
from exporters.labels.dataset import Choice, Dataset
from exporters.labels.filters import Filters
from exporters.labels.numbering import MASKS, PARTS, ROOM, annotation_id, caption_id

SIZE = 40


def mask(*boxes: tuple[int, int, int, int], score: float = 0.5) -> Mask:
    pixels = np.zeros((SIZE, SIZE), bool)
    for top, left, height, width in boxes:
        pixels[top : top + height, left : left + width] = True
    [encoded] = rle.encode(pixels[None])
    return Mask(encoded, rle.area(encoded), rle.bbox(encoded), score if boxes else 0.0)


def dataset(tmp_path: Path, record: PhotoRecord, **filters: Any) -> Dataset:
    path = tmp_path / "journal.jsonl"
    path.unlink(missing_ok=True)
    info = RunInfo("mglmm 1.0", "nano", "0" * 64)
    with Journal(path, Start(info)) as journal:
        journal.begin()
        journal.append(record)
    return Dataset(Index(path), info, Choice(Filters(**filters)))


def test_all_are_whole_numbers_that_every_reader_has() -> None:
    assert annotation_id(LARGEST, MASKS - 1, PARTS - 1) < caption_id(LARGEST + 1, 0) <= 2**53
    assert annotation_id(0, 0) > 0  # which COCOeval takes for no match
    assert annotation_id(7, MASKS - 1, PARTS - 1) < 8 * ROOM < annotation_id(8, 0)


@pytest.mark.parametrize(
    "filters",
    [
        {"nms": None},
        {"min_area": 50},
        {"min_score": 0.45},
        {"min_part": 8},
        {"groups": "split"},
        {"groups": "drop"},
        {"groups": "split", "min_part": 8, "nms": None, "min_score": 0.45},
    ],
)
def test_no_filter_changes_the_id_of_what_stays(tmp_path: Path, filters: dict[str, Any]) -> None:
    masks = (
        mask((0, 0, 2, 2), (10, 10, 4, 4)),
        mask((30, 30, 3, 3), score=0.4),
        mask((20, 0, 9, 9)),
        mask((20, 0, 9, 8), score=0.4),
        mask((0, 20, 5, 2), (0, 30, 5, 5)),
    )
    text = "<p> two dogs </p> [SEG] <p> a cat </p> [SEG] <p> a cup </p> [SEG] <p> a mug </p> [SEG] <p> cars </p> [SEG]"
    record = PhotoRecord("a.jpg", SIZE, SIZE, (SegCap("panoptic", "Describe all.", parse(text), masks),))
    [photo] = dataset(tmp_path, record).photographs()
    words = {entry["id"]: entry["phrase"] for entry in photo.annotations}
    assert list(words) == [1_000_100, 1_000_200, 1_000_300, 1_000_500]
    [other] = dataset(tmp_path, record, **filters).photographs()
    assert other.annotations
    for entry in other.annotations:
        whole = entry["id"] - entry["id"] % PARTS
        assert entry["phrase"] == (words | {1_000_400: "a mug"})[whole]
    if filters.get("groups") == "split":
        small = 8 if "min_part" in filters else 0
        areas = {entry["id"]: entry["area"] for entry in other.annotations if entry["phrase"] in ("two dogs", "cars")}
        wanted = {1_000_100: 16, 1_000_101: 4, 1_000_500: 25, 1_000_501: 10}
        assert areas == {number: area for number, area in wanted.items() if area >= small}
    assert other.captions[0]["id"] == photo.captions[0]["id"] == 1_000_001


def test_the_smallest_parts_of_very_many_stay_together(tmp_path: Path) -> None:
    boxes = [(2 * row, 2 * column, 1, 1) for row in range(12) for column in range(12)]
    record = PhotoRecord(
        "a.jpg", SIZE, SIZE, (SegCap("custom", "Segment.", parse("<p> ants </p> [SEG]"), (mask(*boxes),)),)
    )
    [photo] = dataset(tmp_path, record, groups="split").photographs()
    assert [entry["id"] for entry in photo.annotations] == [1_000_100 + part for part in range(PARTS)]
    assert [entry["area"] for entry in photo.annotations] == [1] * (PARTS - 1) + [144 - PARTS + 1]


def test_masks_beyond_the_ids_of_a_photograph_say_so(tmp_path: Path) -> None:
    one = mask((0, 0, 1, 1))
    answer = parse("<p> a dot </p>" + " [SEG]" * (MASKS + 1))
    record = PhotoRecord("a.jpg", SIZE, SIZE, (SegCap("custom", "Segment.", answer, (one,) * (MASKS + 1)),))
    [photo] = dataset(tmp_path, record, min_score=0.6).photographs()
    assert photo.captions[0]["phrases"][0]["left_out"] == ["number", "score"]
