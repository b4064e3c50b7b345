"""Files of truth and of predictions in which one value is another: each is scored, or refused in a line."""

from __future__ import annotations

import copy
import json
import math
import pickle
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest

from engine.errors import UsageError
from tests.trainer.benchmarks.test_benchmarks import CASES, ideal, no_java
from trainer.benchmarks.benchmark import Report, Scoring, data_hash
from trainer.benchmarks.registry import Selection, open_benchmark

__all__ = ["no_java"]

_GONE = object()
_VALUES: list[Any] = [
    *(_GONE, None, True, -1, 0, 1.5, math.inf, math.nan, 10**30),
    *("", "x", "1", "half \ud800", "nul \0", "../x", "/etc/passwd"),
    *([], {}, [None], [[[]]], {"a": 1}),
]
_TOGETHER = 4
"""Values that are tried at one place; the next place takes those that follow."""

Place = tuple[Any, ...]


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Where something stands in a JSON value."""
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*at, key))


def changed(content: Any, at: Place, value: Any) -> Any:
    """A copy with another value at a place, or without it."""
    if not at:
        return value
    content = copy.deepcopy(content)
    holder = content
    for key in at[:-1]:
        holder = holder[key]
    if value is _GONE:
        del holder[at[-1]]
    else:
        holder[at[-1]] = value
    return content


def faulty(path: Path, turn: Iterator[int]) -> Iterator[tuple[Place, Any]]:
    """Write a file with one fault after the other, and as it was at the end."""
    as_it_was = path.read_bytes()
    pickled = path.suffix == ".p"
    content = pickle.loads(as_it_was) if pickled else json.loads(as_it_was)
    for at in places(content):
        for number in islice(turn, _TOGETHER):
            value = _VALUES[number % len(_VALUES)]
            if at or value is not _GONE:
                new = changed(content, at, value)
                path.write_bytes(pickle.dumps(new, 2) if pickled else json.dumps(new).encode())
                yield at, value
    path.write_bytes(as_it_was)


def check(report: Report) -> None:
    """Every number can stand in strict JSON."""
    for scores in (report.scores, report.corrected):
        assert all(value is None or math.isfinite(value) for value in scores.values())
    assert all(math.isfinite(part) for shares in report.items.values() for share in shares.values() for part in share)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("name", CASES)
def test_one_value_that_is_another_costs_a_line_at_most(name: str, tmp_path: Path) -> None:
    make, benchmark, dataset, split = CASES[name]
    written, turn, scored, refused = tmp_path / "written", count(), 0, 0
    (tmp_path / "data").mkdir()
    root = make(tmp_path / "data")
    found = open_benchmark(Selection(benchmark, dataset, split, root))
    found.write(written, ideal(found))
    # The two RefCOCO sets lie in one folder.
    used = [path for path in root.rglob("*") if path.suffix in (".json", ".p") and dataset in ("", path.parent.name)]
    used = used if benchmark in ("refer", "grefer") else list(root.rglob("*.json"))
    if benchmark == "grefer":
        used = [path for path in used if path.parent.name == "grefcoco"]
    for path, predictions in [*((path, None) for path in used), *((path, written) for path in written.glob("*.json"))]:
        for at, value in faulty(path, turn):
            try:
                found = open_benchmark(Selection(benchmark, dataset, split, root, predictions=predictions))
                data_hash(found.benchmark)
                answers = found.read(predictions).answers if predictions else ideal(found)
                check(found.benchmark.score(answers, Scoring("corrected")))
                scored += 1
            except UsageError as error:
                assert "\n" not in str(error), (path, at, value)
                refused += 1
            except Exception as error:
                raise AssertionError(f"{path.name}: {value!r} at {at}") from error
    assert scored and refused
