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

from engine.errors import UsageError
from engine.masks.rle import decode, from_coco
from tests.trainer.data.formats.made import HEIGHT, WIDTH, box, photograph, polygon, rle, write
from trainer.data.formats.base import Skipped
from trainer.data.formats.reading import (
    coco_to_rle,
    field,
    flag,
    image_size,
    integer,
    is_whole,
    json_list,
    read_lines,
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
    parts = [from_coco(rle(mask)) for mask in (box(0, 0, 4, 4), box(2, 2, 6, 6))]
    assert np.array_equal(decode(union(parts)), box(0, 0, 4, 4) | box(2, 2, 6, 6))


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        (None, "no mask"),
        (float("nan"), "float"),
        ("0", "str"),
        ([], "no polygon"),
        ([[1, 1, 5, 1]], "fewer than three points"),
        ([[1, 1, 5, 1, 5, 5, 3]], "odd number of coordinates"),
        ([["a", 1, 5, 1, 5, 5]], "not a list of numbers"),
        ([5, 6], "fewer than three points"),
        ([[0, 0, 1e9, 0, 1e9, 5]], "far outside"),
        ([[0, 0, float("nan"), 0, 5, 5]], "a coordinate that is no number"),
        ({"size": [HEIGHT, WIDTH]}, "not an object with size and counts"),
        ({"size": [HEIGHT, WIDTH], "counts": [100, 100]}, "end before they fill"),
        ({"size": [HEIGHT, WIDTH], "counts": "04"}, "end before they fill"),
        (rle(box(0, 0, 2, 2, 5, 5)), "another size"),
        (rle(box(0, 0, 2, 2, WIDTH, HEIGHT)), "turned"),
        ([rle(box(0, 0, 2, 2)), rle(box(0, 0, 2, 2, 5, 5))], "another size"),
        ([rle(box(0, 0, 2, 2)), [1, 2, 3, 4]], "fewer than three points"),
    ],
)
def test_what_is_no_mask_is_told(stored: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        coco_to_rle(stored, HEIGHT, WIDTH)


def test_run_lengths_and_polygons_in_one_list_are_united() -> None:
    parts = [polygon(0, 0, 4, 4), rle(box(2, 2, 6, 6)), rle(box(8, 8, 9, 9))]
    found = coco_to_rle(parts, HEIGHT, WIDTH)
    assert np.array_equal(decode(found), box(0, 0, 4, 4) | box(2, 2, 6, 6) | box(8, 8, 9, 9))


def test_masks_of_different_sizes_have_no_union() -> None:
    small = from_coco(rle(box(0, 0, 2, 2, 5, 5)))
    with pytest.raises(ValueError, match="different sizes"):
        union([small, from_coco(rle(box(0, 0, 2, 2)))])
    with pytest.raises(ValueError, match="no mask"):
        union([])


def test_an_empty_mask_is_not_visible() -> None:
    with pytest.raises(ValueError, match="empty mask"):
        visible(from_coco(rle(box(0, 0, 0, 0))))


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


def test_a_file_that_is_missing_or_not_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone\.json: no such file"):
        json_list(tmp_path / "gone.json")
    (tmp_path / "cut.json").write_text('[{"a": 1}, {"b"')
    with pytest.raises(UsageError, match=r"cut\.json: not JSON: .*line 1 column 16"):
        json_list(tmp_path / "cut.json")
    write(tmp_path / "object.json", {})
    with pytest.raises(UsageError, match=r"object\.json: a list was expected, not dict"):
        json_list(tmp_path / "object.json")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lists_of_names_are_read_in_every_unicode(tmp_path: Path, encoding: str, end: str) -> None:
    (tmp_path / "classes.txt").write_bytes(end.join(["sky", "", "caf\u00e9", "", ""]).encode(encoding))
    assert read_lines(tmp_path / "classes.txt") == ["sky", "", "caf\u00e9"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"sky\ncaf\xe9\n", "line 2 is not utf-8: save it as UTF-8"), (b"\n\n", "it is empty"), (b"", "it is empty")],
)
def test_what_is_no_list_of_names_is_one_line(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "classes.txt").write_bytes(content)
    with pytest.raises(UsageError, match=rf"classes\.txt: {reason}"):
        read_lines(tmp_path / "classes.txt")


@pytest.mark.parametrize("value", [0, 0.0, False, "0", "0.0", "false", "False", " no ", "", None, float("nan")])
def test_marks_that_are_not_set(value: Any) -> None:
    assert flag({"iscrowd": value}, "iscrowd") is False
    assert flag({}, "iscrowd") is False


@pytest.mark.parametrize("value", [1, 1.0, True, "1", "1.0", "true", "Yes"])
def test_marks_that_are_set(value: Any) -> None:
    assert flag({"iscrowd": value}, "iscrowd") is True


@pytest.mark.parametrize("value", [2, -1, 0.5, "maybe", "2", [], {}, [1], float("inf")])
def test_marks_that_say_neither(value: Any) -> None:
    with pytest.raises(ValueError, match="'iscrowd' that is neither 0 nor 1"):
        flag({"iscrowd": value}, "iscrowd")


def test_a_missing_mark_can_mean_yes() -> None:
    assert flag({}, "isthing", missing=True) is flag({"isthing": None}, "isthing", missing=True) is True
    assert flag({"isthing": "0"}, "isthing", missing=True) is False


def test_whole_numbers_may_come_from_tables() -> None:
    assert [integer({"n": value}, "n") for value in (7, 7.0, "7")] == [7, 7, 7]
    for value in (7.5, "7.5", "\u00b2", "-", "", None, True, float("nan"), float("inf"), [7]):
        with pytest.raises(ValueError, match="'n' that is not a whole number"):
            integer({"n": value}, "n")
    with pytest.raises(ValueError, match="no 'n'"):
        integer({}, "n")


def test_halves_of_characters_are_no_text() -> None:
    assert is_whole("\U0001f335 caf\u00e9") and not is_whole("half \ud83c")


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
