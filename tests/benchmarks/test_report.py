"""The benchmark of the report: a run made of another one, and what is read off the browser."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import report
from engine.journal import Index
from tests import browser as browsers
from tests import program
from tests.exporters.report import made


def _measure() -> None:
    """In a process of its own, as one has one browser."""
    report.OPENED, report.WALKED = 2, (1, 2, 3)
    print(json.dumps(report.measure_page(Path("report"))))


def test_a_run_is_repeated_and_measured(tmp_path: Path) -> None:
    browsers.find()
    out = made.write_journal(tmp_path / "out", [made.scene("a.png"), made.scene("person.png")])
    made.write_photographs(tmp_path, 2)
    index = Index(out / "journal.jsonl")
    report.write_run(index, tmp_path / "run", 8)
    index.close()
    index = Index(tmp_path / "run" / "journal.jsonl")
    names = [value["file_name"] for value in index.photographs()]
    index.close()
    assert names[:2] == ["000000-a.png", "000001-person.png"] and len(names) == len(set(names)) == 8
    assert made.report(tmp_path / "report", tmp_path / "run").unseen == 0
    done = program.call(_measure, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert list(found) == [
        "open_first_s",
        "open_whole_s",
        "heap_open_mb",
        "renderer_open_mb",
        "heap_1_mb",
        "renderer_1_mb",
        "heap_2_mb",
        "renderer_2_mb",
        "heap_3_mb",
        "renderer_3_mb",
        "search_s",
    ]
    assert all(value > 0 for value in found.values())
