"""Ids: alike however they are written, different where they are."""

from __future__ import annotations

from typing import Any

import pytest

from trainer.data.formats.ids import ById, identity


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((7, 7), (7.0, 7), ("7", "7"), ("a", "a"), (74673216, 74673216), (-1, -1), (10**30, 10**30)),
        *((None, None), (True, None), (7.5, None), (float("nan"), None), (float("inf"), None), ("", None), ([7], None)),
    ],
)
def test_what_is_an_id(value: Any, expected: Any) -> None:
    found = identity(value)
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize("known", [7, "7", "007", "7.0"])
@pytest.mark.parametrize("asked", [7, 7.0, "7", "007", "7.0", " 7 "])
def test_numbers_are_found_however_they_are_written(known: int | str, asked: Any) -> None:
    assert ById([(known, "found"), (8, "other")]).get(asked) == "found"


def test_what_is_written_the_same_comes_first() -> None:
    entries = ById([(7, "number"), ("7", "text"), ("07", "other text")])
    assert [entries.get(value) for value in (7, 7.0, "7", "07")] == ["number", "number", "text", "other text"]
    # What could mean any of them means none.
    assert entries.get("007") is None


@pytest.mark.parametrize("value", [8, "a7", None, True, 7.5, float("nan"), [7], {"id": 7}, "", "-7"])
def test_what_is_not_there(value: Any) -> None:
    assert ById([(7, "found"), ("a", "b")]).get(value) is None


def test_an_id_that_comes_twice_stands_for_nothing() -> None:
    entries = ById([(7, "a"), (8, "b"), (7, "c")])
    assert (entries.get(7), entries.get("7"), entries.get(8)) == (None, None, "b")
    assert list(entries) == ["b"] and len(entries) == 1
