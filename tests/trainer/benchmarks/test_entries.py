"""What entries hold, whatever stands there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import UsageError
from trainer.benchmarks import entries


@pytest.mark.parametrize(
    ("value", "found"),
    [("a 1", "a 1"), (7, "7"), (7.0, "7"), (10**30, "1" + "0" * 30), ("007", "007")],
)
def test_an_id_is_a_text(value: Any, found: str) -> None:
    assert entries.identity({"id": value}, "id") == found


@pytest.mark.parametrize("value", [None, True, 1.5, [1], {}, float("nan"), float("inf"), "half \ud800"])
def test_what_is_no_id_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="'id'"):
        entries.identity({"id": value}, "id")


@pytest.mark.parametrize("value", [None, True, "1", [1], float("nan"), float("inf"), 10**400, -(10**400)])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="'area' that is not a number"):
        entries.number({"area": value}, "area")


def test_written_ids_are_numbers_where_they_were() -> None:
    assert [entries.written_id(one) for one in ("7", "007", "a", "", "٣")] == [7, "007", "a", "", "٣"]


@pytest.mark.parametrize("name", ["../a.jpg", "/etc/a.jpg", "", "a\0.jpg", ".", "b/../../a.jpg", 5, None])
def test_a_file_lies_below_its_folder(name: Any) -> None:
    with pytest.raises(ValueError, match="'file_name'") as caught:
        entries.below(Path("root"), {"file_name": name}, "file_name")
    assert "\0" not in str(caught.value)
    assert entries.below(Path("root"), {"file_name": "b/a.jpg"}, "file_name") == Path("root/b/a.jpg")


@pytest.mark.parametrize("entry", [None, 5, "x", [1], []])
def test_an_entry_that_is_no_object_is_named(entry: Any) -> None:
    with pytest.raises(UsageError, match=r"a\.json: rows\[1\]: an entry that is not an object"):
        entries.each(Path("a.json"), "rows", [{"id": 1}, entry], lambda one: entries.identity(one, "id"))
    with pytest.raises(UsageError, match=r"a\.json: an entry that is not an object"):
        entries.listed(Path("a.json"), entry, "rows")
