"""What is drawn is what segcap.json has: of each phrase the labels that it means."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.journal import Index
from engine.masks import rle
from engine.records import RLE, PhotoRecord
from exporters.coco import write_coco
from exporters.labels.dataset import Choice
from exporters.labels.filters import Filters
from exporters.labels.labelled import labelled
from tests.exporters.labels.test_statistics import ENTRIES, FILTERS
from tests.exporters.report import made

RECORDS = [entry for entry in ENTRIES if isinstance(entry, PhotoRecord)]


def _union(masks: list[RLE]) -> np.ndarray:
    pixels = np.zeros((made.HEIGHT, made.WIDTH), bool)
    for mask in masks:
        pixels |= rle.decode(mask)
    return pixels


@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_a_phrase_has_the_masks_that_segcap_json_says_it_means(tmp_path: Path, filters: Filters) -> None:
    folder = made.write_journal(tmp_path / "out", RECORDS)
    with closing(Index(folder / "journal.jsonl")) as index:
        write_coco(index, tmp_path / "segcap.json", index.info, Choice(filters))
    coco = json.loads((tmp_path / "segcap.json").read_bytes())
    masks = {entry["id"]: rle.from_coco(entry["segmentation"]) for entry in coco["annotations"]}
    drawn = [
        (segcap, phrase)
        for record in RECORDS
        for segcap in labelled(record, filters).segcaps
        for phrase in segcap.answer.phrases
    ]
    said = [phrase for caption in coco["captions"] for phrase in caption["phrases"]]
    for (segcap, phrase), entry in zip(drawn, said, strict=True):
        assert phrase.text == entry["phrase"]
        pixels = _union([segcap.masks[seg].rle for seg in phrase.segs])
        assert np.array_equal(pixels, _union([masks[number] for number in entry["annotation_ids"]]))


def test_nothing_else_of_the_record_changes() -> None:
    record = made.scene("a.jpg")
    changed = labelled(record, Filters())
    for one, other in zip(record.segcaps, changed.segcaps, strict=True):
        assert replace(other, masks=one.masks) == one
    assert replace(changed, segcaps=record.segcaps) == record


def test_equal_things_are_equal_masks() -> None:
    panoptic, fine = labelled(made.scene("a.jpg"), Filters()).segcaps
    assert panoptic.masks[0] == fine.masks[0] == fine.masks[2]  # the man, and his coat that is as large
    assert fine.masks[1].area == made.HAT.sum()


def test_what_is_left_out_has_no_pixel() -> None:
    _, fine = labelled(made.scene("a.jpg"), Filters(min_area=200)).segcaps
    assert fine.masks[1] == made.mask(made.block(0, 0, 0, 0))
