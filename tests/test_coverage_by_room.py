"""The table of line coverage."""

from __future__ import annotations

from collections import Counter

from tests.coverage_by_room import ROOT, room, table


def test_rooms_are_the_packages_of_the_first_two_levels() -> None:
    assert room(ROOT / "engine" / "errors.py") == "engine"
    assert room(ROOT / "trainer" / "data" / "formats" / "refer.py") == "trainer.data"


def test_a_column_for_each_run() -> None:
    lines = Counter({"engine": 4, "trainer": 8})
    quick, all_ = Counter({"engine": 1}), Counter({"engine": 3, "trainer": 8})
    assert table({"quick": (lines, quick), "all": (lines, all_)}).splitlines() == [
        "| room | lines | quick | all |",
        "| --- | ---: | ---: | ---: |",
        "| engine | 4 | 25% | 75% |",
        "| trainer | 8 | 0% | 100% |",
        "| together | 12 | 8% | 92% |",
    ]
