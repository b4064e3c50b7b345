from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import UsageError
from trainer.benchmarks.benchmark import Report, Share
from trainer.benchmarks.compare import compare, differences
from trainer.benchmarks.results import ITEMS, RESULTS, Scored, Stored, read_result, write_result

Items = dict[str, dict[str, Share]]
SCORED = Scored("mglmm 0", "refer", "refcoco", "val", "official", "d" * 64, 3, "a" * 64)


def items(values: np.ndarray) -> Items:
    return {str(number): {"gIoU": (float(value), 1)} for number, value in enumerate(values)}


def test_the_same_answers_do_not_differ() -> None:
    same = items(np.linspace(0, 1, 50))
    (found,) = differences(same, same)
    assert (found.low, found.high, found.clear) == (0, 0, False)


def test_a_constant_gain_is_clear_however_much_questions_vary() -> None:
    values = np.random.default_rng(1).uniform(0, 0.9, 200)
    (found,) = differences(items(values + 0.02), items(values))
    assert found.clear and found.low == pytest.approx(0.02) and found.high == pytest.approx(0.02)
    assert found.ours - found.other == pytest.approx(0.02)


def test_noise_is_not_clear_and_its_interval_is_as_wide_as_theory_says() -> None:
    rng = np.random.default_rng(2)
    values, noise = rng.uniform(0, 1, 400), rng.normal(0, 0.1, 400)
    noise -= noise.mean()
    (found,) = differences(items(values + noise), items(values))
    assert not found.clear
    assert found.high - found.low == pytest.approx(2 * 1.96 * noise.std() / 20, rel=0.15)


def test_scores_are_ratios_of_sums() -> None:
    ours: Items = {"a": {"cIoU": (1, 4)}, "b": {"cIoU": (5, 6)}}
    other: Items = {"a": {"cIoU": (0, 4)}, "b": {"cIoU": (0, 6)}}
    (found,) = differences(ours, other)
    assert (found.ours, found.other) == (0.6, 0.0)


def test_a_question_left_out_by_one_of_them_counts_in_the_other() -> None:
    ours: Items = {"a": {"recall": (1, 1)}, "b": {"recall": (0, 1)}}
    other: Items = {"a": {"recall": (1, 1)}, "b": {}}
    (found,) = differences(ours, other)
    assert (found.ours, found.other) == (0.5, 1.0)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (replace(SCORED, data_hash="e" * 64), "the data was"),
        (replace(SCORED, split="testA"), "the split was testA, is val"),
    ],
)
def test_results_on_other_questions_are_refused(other: Scored, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        compare(Stored(SCORED, {}), Stored(other, {}))


def test_a_result_can_be_read_back(tmp_path: Path) -> None:
    report = Report({"gIoU": 0.5, "SPICE": None}, items(np.array([0.25, 0.75])), "gIoU", notes=("a note",))
    write_result(tmp_path, SCORED, report, {}, {})
    found = read_result(tmp_path / RESULTS)
    assert found.scored == SCORED and found.items == report.items


def test_a_result_is_strict_json(tmp_path: Path) -> None:
    scores = {"gIoU": math.nan, "cIoU": math.inf, "AP": -1.0}
    write_result(tmp_path, SCORED, Report(scores, {"a": {"gIoU": (math.nan, 1), "cIoU": (1, 2)}}, "gIoU"), {}, scores)
    content = json.loads((tmp_path / RESULTS).read_text(), parse_constant=pytest.fail)
    assert content["scores"] == content["baseline"] == {"gIoU": None, "cIoU": None, "AP": -1.0}
    assert read_result(tmp_path / RESULTS).items == {"a": {"cIoU": (1, 2)}}


@pytest.mark.parametrize("wrong", [None, True, 5, "x", [], {}, [[]], math.nan])
def test_what_is_not_a_result_is_refused(wrong: Any, tmp_path: Path) -> None:
    path, report = tmp_path / RESULTS, Report({}, {"a": {"gIoU": (1, 2)}}, "gIoU")
    write_result(tmp_path, SCORED, report, {}, {})
    good, items = json.loads(path.read_text()), tmp_path / ITEMS
    for scored in (wrong, good["scored"] | {"tool": wrong}, good["scored"] | {"strange": wrong}):
        if scored != "x" and scored != good["scored"] | {"tool": "x"}:
            path.write_text(json.dumps(good | {"scored": scored}))
            with pytest.raises(UsageError, match=r"results\.json: not a result of mglmm eval: "):
                read_result(path)
    path.write_text(json.dumps(good))
    for line in (
        wrong,
        {"id": wrong, "scores": 5},
        {"id": "a", "scores": {"gIoU": wrong}},
        {"id": "a", "scores": {"x": [wrong, 1]}},
    ):
        if line != {"id": "a", "scores": {"x": [5, 1]}}:
            items.write_text('{"id": "b", "scores": {}}\n' + json.dumps(line) + "\n")
            with pytest.raises(UsageError, match=r"items\.jsonl: line\[1\]: "):
                read_result(path)


def test_a_result_that_is_missing_or_no_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / RESULTS
    with pytest.raises(UsageError, match="no such file"):
        read_result(path)
    path.write_bytes(b"[" * 100_000)
    with pytest.raises(UsageError, match="not JSON: it is nested too deep"):
        read_result(path)
    write_result(tmp_path, SCORED, Report({}, {}, "gIoU"), {}, {})
    (tmp_path / ITEMS).unlink()
    with pytest.raises(UsageError, match=r"items\.jsonl: no such file"):
        read_result(path)


def test_the_worst_come_first() -> None:
    report = Report({}, {"a": {"x": (0.9, 1)}, "b": {"x": (0.1, 1)}, "c": {"x": (0, 0)}, "d": {}}, "x")
    assert report.worst(5) == ["b", "a"]
