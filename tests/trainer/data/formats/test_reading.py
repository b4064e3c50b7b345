"""Masks of every published kind, sizes of photographs, broken files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from pycocotools import mask as coco_mask

from engine.errors import UsageError
from engine.masks.rle import decode
from tests.trainer.data.formats.made import HEIGHT, WIDTH, box, photograph, polygon, rle, write
from trainer.data.formats.base import Skipped
from trainer.data.formats.reading import (
    coco_to_rle,
    field,
    image_size,
    json_list,
    polygons_to_rle,
    read_json,
    run_lengths,
    size_below,
    skipping,
    texts,
    union,
    visible,
)


@given(arrays.arrays(np.bool_, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_run_lengths_are_read_in_all_three_forms(mask: np.ndarray) -> None:
    height, width = mask.shape
    text = rle(mask)["counts"]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask.T.ravel(), [not mask[-1, -1]]])))
    numbers = np.diff(np.concatenate([[0], edges])).tolist()
    for counts in (text, text.encode("ascii"), numbers):
        found = coco_to_rle({"size": [height, width], "counts": counts}, height, width)
        assert np.array_equal(decode(found), mask)


def test_polygons_are_united() -> None:
    found = coco_to_rle([polygon(0, 0, 4, 4), polygon(2, 2, 6, 6)], HEIGHT, WIDTH)
    assert np.array_equal(decode(found), box(0, 0, 4, 4) | box(2, 2, 6, 6))


def test_a_union_holds_all_pixels_once() -> None:
    parts = [run_lengths(rle(mask)) for mask in (box(0, 0, 4, 4), box(2, 2, 6, 6))]
    assert np.array_equal(decode(union(parts)), box(0, 0, 4, 4) | box(2, 2, 6, 6))


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        (None, "NoneType"),
        ([], "no polygon"),
        ([[1, 1, 5, 1]], "fewer than three points"),
        ([[1, 1, 5, 1, 5, 5, 3]], "fewer than three points"),
        ([["a", 1, 5, 1, 5, 5]], "not a list of numbers"),
        ([5, 6], "not a list of numbers"),
        ([[0, 0, 1e9, 0, 1e9, 5]], "far outside"),
        ([[0, 0, float("nan"), 0, 5, 5]], "far outside"),
        ({"size": [HEIGHT, WIDTH]}, "without size and counts"),
        ({"size": [HEIGHT], "counts": "04"}, "without size and counts"),
        ({"size": [HEIGHT, 0], "counts": "04"}, "of no size"),
        ({"size": [HEIGHT, WIDTH], "counts": 5}, "without size and counts"),
        ({"size": [HEIGHT, WIDTH], "counts": [100, 100]}, "do not fill"),
        ({"size": [HEIGHT, WIDTH], "counts": [-1, HEIGHT * WIDTH + 1]}, "do not fill"),
        ({"size": [HEIGHT, WIDTH], "counts": [1.5]}, "not run lengths"),
        ({"size": [HEIGHT, WIDTH], "counts": "04"}, "do not fill"),
        ({"size": [HEIGHT, WIDTH], "counts": ""}, "do not fill"),
        ({"size": [HEIGHT, WIDTH], "counts": "é"}, "do not fill"),
        ({"size": [HEIGHT, WIDTH], "counts": "PPPPPPPPPPPPPPPP"}, "do not fill"),
        (rle(box(0, 0, 2, 2, 5, 5)), "another size"),
    ],
)
def test_what_is_no_mask_is_told(stored: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        coco_to_rle(stored, HEIGHT, WIDTH)


def test_polygons_agree_with_the_coco_api() -> None:
    points = [2.5, 1.2, 17.9, 3.3, 9.1, 11.4]
    expected = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects([points], HEIGHT, WIDTH)))
    assert np.array_equal(decode(polygons_to_rle([points], HEIGHT, WIDTH)), expected.astype(bool))


def test_masks_of_different_sizes_have_no_union() -> None:
    small = run_lengths(rle(box(0, 0, 2, 2, 5, 5)))
    with pytest.raises(ValueError, match="different sizes"):
        union([small, run_lengths(rle(box(0, 0, 2, 2)))])
    with pytest.raises(ValueError, match="no mask"):
        union([])


def test_an_empty_mask_is_not_visible() -> None:
    with pytest.raises(ValueError, match="empty mask"):
        visible(run_lengths(rle(box(0, 0, 0, 0))))


def test_the_size_is_that_of_the_upright_photograph(tmp_path: Path) -> None:
    photograph(tmp_path / "plain.jpg", 6, 10)
    assert image_size(tmp_path / "plain.jpg") == (6, 10)
    turned = Image.Exif()
    turned[0x0112] = 6
    for kind in ("jpg", "png", "webp", "tif"):
        path = tmp_path / f"turned.{kind}"
        Image.new("RGB", (10, 6)).save(path, exif=turned)
        assert image_size(path) == (10, 6)


def test_a_photograph_that_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone\.jpg: no such photograph"):
        image_size(tmp_path / "gone.jpg")
    (tmp_path / "text.jpg").write_text("hello")
    with pytest.raises(UsageError, match=r"text\.jpg: not an image"):
        image_size(tmp_path / "text.jpg")
    with pytest.raises(ValueError, match="missing or broken"):
        size_below(tmp_path, "text.jpg")


def test_a_file_that_is_missing_or_not_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone\.json: no such file"):
        read_json(tmp_path / "gone.json")
    (tmp_path / "cut.json").write_text('[{"a": 1}, {"b"')
    with pytest.raises(UsageError, match=r"cut\.json: not JSON \(.*line 1 column 16"):
        read_json(tmp_path / "cut.json")
    write(tmp_path / "object.json", {})
    with pytest.raises(UsageError, match=r"object\.json: a list was expected, not dict"):
        json_list(tmp_path / "object.json")


def test_another_encoding_is_tried_where_one_is_known(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_bytes('["caf\u00e9"]'.encode("cp1252"))
    assert read_json(tmp_path / "old.json", encoding="cp1252") == ["caf\u00e9"]
    with pytest.raises(UsageError, match=r"old\.json: not JSON"):
        read_json(tmp_path / "old.json")


def test_what_an_entry_lacks_is_told_and_reading_goes_on() -> None:
    skipped = Skipped()
    for number, entry in enumerate([7, {}, {"a": 1}, {"a": "x"}, {"a": "y"}]):
        with skipping(skipped, f"entry {number}"):
            field(entry, "a", str)
    with skipping(skipped, "list"):
        texts({"a": ["x", 1]}, "a")
    assert dict((reason, where) for reason, _, where in skipped.reasons()) == {
        "an entry that is not an object": ("entry 0",),
        "no 'a'": ("entry 1",),
        "'a' that is not str": ("entry 2",),
        "'a' that is not a list of texts": ("list",),
    }
