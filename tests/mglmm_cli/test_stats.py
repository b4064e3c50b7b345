"""`mglmm stats`: the same numbers as a table and as JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from engine.records import Failure, PhotoRecord, SegCap
from engine.text.grammar import parse
from exporters.labels import select
from mglmm_cli.stats_table import _WHY
from tests import program
from tests.exporters.report import made

SHOWN = ("least", "p5", "p25", "median", "p75", "p95", "most", "mean")


def _many(count: int) -> list[PhotoRecord | Failure]:
    return [made.scene("a/man.jpg"), made.odd("b.jpg"), *(made.hostile(f"{number}.jpg") for number in range(count))]


def _named(number: int) -> PhotoRecord:
    answer = parse(f"<p> the thing{number} </p> [SEG]")
    segcap = SegCap("custom", "What is it?", answer, (made.mask(made.MAN),))
    return PhotoRecord(f"{number}.jpg", made.WIDTH, made.HEIGHT, (segcap,))


def stats(folder: Path, *args: str) -> str:
    done = program.run_text("stats", str(folder), *args, cwd=folder.parent)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def as_json(folder: Path, *args: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(stats(folder, "--json", *args))
    return value


def row(table: str, name: str) -> list[str]:
    """The cells behind a row's name, the first such row."""
    found = re.search(rf"^ +{re.escape(name)} {{2,}}(.*)$", table, re.MULTILINE)
    assert found, name
    return found[1].split()


def test_the_table_says_what_the_json_says(tmp_path: Path) -> None:
    folder = made.write_journal(tmp_path / "out", [*_many(2), Failure("c.jpg", "open", "it is no photograph")])
    table, counted = stats(folder), as_json(folder)
    assert row(table, "done") == [str(counted["photographs"]["done"])] == ["4"]
    assert row(table, "failed") == row(table, "at open") == ["1"]
    panoptic = counted["captions"]["panoptic"]
    assert row(table, "panoptic") == [str(value) for value in panoptic.values()] == ["1", "0", "2", "0", "3", "3"]
    total = [sum(one[key] for one in counted["captions"].values()) for key in panoptic]
    assert row(table, "total") == [str(value) for value in total]
    masks = counted["masks"]
    assert row(table, "made") == [str(masks["made"])]
    assert row(table, "duplicates, united with another") == [str(masks["duplicates"])] == ["2"]
    assert row(table, "left out: without a pixel") == [str(masks["left_out"]["empty"])] == ["1"]
    assert row(table, "labels") == [str(masks["labels"])]
    scores = counted["scores"]
    assert row(table, "score") == [f"{scores[name]:.3f}" for name in SHOWN]
    assert row(table, "dog") == ["2", "1"]
    assert "\u202e" not in table and "\x1b" not in table


def test_filters_apply_as_everywhere(tmp_path: Path) -> None:
    folder = made.write_journal(tmp_path / "out", _many(0))
    counted = as_json(folder, "--nms", "off", "--min-score", "0.65")
    assert counted["masks"]["duplicates"] == 0
    assert counted["masks"]["left_out"] == {"score": 1, "empty": 1}
    assert counted["filters"] == {"min_area": 0, "min_score": 0.65, "min_part": 0, "nms": None, "groups": "keep"}
    assert row(stats(folder, "--min-score", "0.65"), "left out: score below --min-score") == ["1"]


def test_the_table_shows_twenty_of_many(tmp_path: Path) -> None:
    folder = made.write_journal(tmp_path / "out", [_named(number) for number in range(30)])
    table, counted = stats(folder), as_json(folder)
    assert len(counted["phrases"]) == len(counted["categories"]) == 30
    assert table.count("the first 20 of 30") == 2
    assert len(re.findall(r"^ +thing\d+", table, re.MULTILINE)) == 20
    assert len(re.findall(r"^ +the thing\d+", table, re.MULTILINE)) == 20


def test_a_run_of_failures_has_no_empty_tables(tmp_path: Path) -> None:
    folder = made.write_journal(tmp_path / "out", [Failure("c.jpg", "open", "it is no photograph")])
    table = stats(folder)
    assert row(table, "failed") == ["1"]
    assert "Captions" not in table and "Categories" not in table
    assert as_json(folder)["scores"] is None


def test_each_reason_has_its_words() -> None:
    said = re.findall(r"`(\w+)`", (select.Selected.__doc__ or "").split("why it is none")[1])
    assert set(_WHY) == set(said) - {"reviewed"}


@pytest.mark.parametrize(
    ("name", "line"),
    [("nowhere", "no such file or directory"), ("photos", "holds no journal.jsonl"), ("none", "no photograph is done")],
)
def test_a_folder_that_is_no_run_is_named(tmp_path: Path, name: str, line: str) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "journal.jsonl").touch()
    done = program.run_text("stats", name, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("mglmm: ") and name in done.stderr and line in done.stderr
