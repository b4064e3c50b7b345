"""Counts are those of segcap.json, whatever the filters are."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import MglmmError
from engine.journal import Index
from engine.records import Failure, PhotoRecord, SegCap
from engine.text.grammar import parse
from exporters.coco import write_coco
from exporters.labels.dataset import Choice
from exporters.labels.filters import Filters
from exporters.labels.statistics import Captions, CategoryCount, Statistics, count
from tests.exporters.report import made


def _crowd(file_name: str) -> PhotoRecord:
    """One mask over three things, and a fourth that is another kind's."""
    pixels = made.block(0, 0, 10, 10) | made.block(20, 20, 5, 5) | made.block(40, 40, 4, 4)
    text = "<p> People </p> [SEG] and <p> a wall </p> [SEG]."
    return PhotoRecord(
        file_name,
        made.WIDTH,
        made.HEIGHT,
        (SegCap("panoptic", "Describe all.", parse(text), (made.mask(pixels, 0.3), made.mask(made.MAN))),),
    )


ENTRIES = (
    made.scene("a.jpg"),
    made.odd("b.jpg"),
    _crowd("c.jpg"),
    made.hostile("d.jpg"),
    Failure("e.jpg", "open", "it is no photograph"),
    Failure("f.jpg", "answer", "memory"),
    Failure("g.jpg", "open", "it is gone"),
)


def _counted(
    tmp_path: Path, entries: Iterable[PhotoRecord | Failure], filters: Filters
) -> tuple[Statistics, dict[str, Any]]:
    """What is counted, and what segcap.json has."""
    folder = made.write_journal(tmp_path / "out", entries)
    with closing(Index(folder / "journal.jsonl")) as index:
        write_coco(index, tmp_path / "segcap.json", index.info, Choice(filters))
        return count(index, filters), json.loads((tmp_path / "segcap.json").read_bytes())


FILTERS = (
    Filters(),
    Filters(nms=None),
    Filters(min_area=200),
    Filters(min_score=0.65),
    Filters(min_part=20),
    Filters(groups="split"),
    Filters(groups="crowd"),
    Filters(groups="drop", nms=None, min_area=10),
)


@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_counts_are_those_of_segcap_json(tmp_path: Path, filters: Filters) -> None:
    counted, coco = _counted(tmp_path, ENTRIES, filters)
    annotations, captions = coco["annotations"], coco["captions"]
    areas = np.array([entry["area"] for entry in annotations])
    assert counted.filters == filters
    assert counted.photographs.done == len(coco["images"])
    labelled = {entry["image_id"] for entry in annotations}
    assert counted.photographs.unlabelled == len(coco["images"]) - len(labelled)

    masks = counted.masks
    assert masks.labels == len(annotations) == counted.sizes.small + counted.sizes.medium + counted.sizes.large
    assert masks.made + masks.parts == masks.labels + masks.duplicates + sum(masks.left_out.values())
    assert masks.groups == sum(entry.get("group", False) for entry in annotations)
    assert counted.sizes.small == (areas < 1024).sum()
    assert counted.sizes.pixels is not None and counted.sizes.pixels.mean == pytest.approx(areas.mean())
    assert counted.scores is not None and counted.scores.least == min(entry["score"] for entry in annotations)
    named = [entry["name_score"] for entry in annotations if "name_score" in entry]
    assert (counted.name_scores.count if counted.name_scores else 0) == len(named)

    names = {entry["id"]: entry["name"] for entry in coco["categories"]}
    labels = Counter(names[entry["category_id"]] for entry in annotations)
    where = {(names[entry["category_id"]], entry["image_id"]) for entry in annotations}
    seen = Counter(name for name, _ in where)
    assert counted.categories == {name: CategoryCount(labels[name], seen[name]) for name in labels}
    phrases = Counter[str]()
    for entry in annotations:
        phrases.update(entry.get("phrases") or filter(None, [entry["phrase"]]))
    assert counted.phrases == phrases

    for granularity, row in counted.captions.items():
        of = [entry for entry in captions if entry["granularity"] == granularity]
        said = [phrase for entry in of for phrase in entry["phrases"]]
        assert row.captions == len(of)
        assert row.truncated == sum(entry.get("truncated", False) for entry in of)
        assert row.phrases == len(said)
        assert row.ungrounded == sum(not phrase["annotation_ids"] for phrase in said)
        assert row.labels == sum(entry["granularity"] == granularity for entry in annotations)
    assert sum(row.masks for row in counted.captions.values()) == masks.made
    assert sum(row.captions for row in counted.captions.values()) == len(captions)


@pytest.mark.parametrize(
    ("filters", "left_out"),
    [
        (Filters(), {"empty": 1}),
        (Filters(min_area=200), {"empty": 1, "area": 2}),
        (Filters(min_score=0.65), {"empty": 1, "score": 2}),
        (Filters(groups="drop"), {"empty": 1, "group": 1}),
    ],
    ids=str,
)
def test_what_was_left_out_is_counted_with_its_reason(
    tmp_path: Path, filters: Filters, left_out: dict[str, int]
) -> None:
    counted, _ = _counted(tmp_path, ENTRIES, filters)
    assert counted.masks.left_out == left_out
    assert (counted.photographs.failed, counted.photographs.failed_at) == (3, {"open": 2, "answer": 1})
    assert counted.captions["custom"] == Captions(3, 1, 4, 2, 3, 2)


def test_the_frequent_ones_stand_first(tmp_path: Path) -> None:
    counted, _ = _counted(tmp_path, [made.scene(f"{number}.jpg") for number in range(3)], Filters())
    assert list(counted.categories.items()) == [
        ("dog", CategoryCount(6, 3)),
        ("hat", CategoryCount(3, 3)),
        ("man", CategoryCount(3, 3)),
    ]
    assert next(iter(counted.phrases)) == "two dogs"
    assert counted.phrases["two dogs"] == 6


def test_a_run_without_answers_has_no_quantiles(tmp_path: Path) -> None:
    counted, _ = _counted(tmp_path, ENTRIES[4:], Filters())
    assert (counted.photographs.done, counted.masks.made, counted.captions) == (0, 0, {})
    assert counted.sizes.pixels is counted.scores is counted.name_scores is None


def test_a_damaged_journal_is_refused(tmp_path: Path) -> None:
    folder = made.write_journal(tmp_path / "out", ENTRIES)
    path = folder / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b"walks", b"talks", 1))
    with closing(Index(path)) as index, pytest.raises(MglmmError, match="is damaged"):
        count(index, Filters())
