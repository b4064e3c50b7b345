"""Parts of a measurement, however they end; and the command where there is no GPU."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks import gpu
from benchmarks.gpu_parts.plan import Plan
from benchmarks.gpu_parts.running import STAND_INS, Found, Part, Report, missing, run_parts, stood_in

ROOT = Path(__file__).parents[2]


def _part(name: str, *, needs: tuple[str, ...] = (), seconds: float = 60.0) -> Part:
    return Part(name, f"tests.benchmarks.parts:{name}", needs, seconds)


def _run(parts: Sequence[Part], out: Path | None = None, seconds: float = 600.0) -> tuple[Report, list[str]]:
    report = Report(Plan(rows=7), {"started": "today"}, out)
    lines: list[str] = []
    run_parts(parts, report, seconds, lines.append)
    return report, lines


def _statuses(report: Report) -> dict[str, tuple[str, str]]:
    return {name: (found.status, found.reason) for name, found in report.parts.items()}


def test_what_is_wrong_is_named_and_everything_is_written(tmp_path: Path) -> None:
    report, lines = _run([_part("right"), _part("wrong")], tmp_path / "new" / "gpu.json")
    assert report.wrong == ["wrong: sums: 2 + 2 is 5"]
    assert "right: right: sums: all add up" in lines and "wrong: WRONG: sums: 2 + 2 is 5" in lines
    content = json.loads((tmp_path / "new" / "gpu.json").read_text())
    assert (content["started"], content["wrong"], content["plan"]["rows"]) == ("today", report.wrong, 7)
    assert content["parts"]["right"]["figures"] == {"rate": 2.5, "lost": "nan"}
    # A part knows what came before.
    assert content["parts"]["wrong"]["figures"]["seen"] == 2.5
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["gpu.json"]


def test_a_part_takes_no_other_along(tmp_path: Path) -> None:
    names = ("dies", "raises", "lacks", "lacks_in_other_words", "refuses", "right")
    report, lines = _run([_part(name) for name in names], tmp_path / "gpu.json")
    assert _statuses(report) == {
        "dies": ("died", "its process ended with 3"),
        "raises": ("died", "ValueError: not this shape"),
        "lacks": ("skipped", "no module no_such_module"),
        "lacks_in_other_words": ("skipped", "no module no_such_module"),
        "refuses": ("skipped", "only where it rains"),
        "right": ("done", ""),
    }
    assert report.wrong == ["dies: died: its process ended with 3", "raises: died: ValueError: not this shape"]
    parts = json.loads((tmp_path / "gpu.json").read_text())["parts"]
    assert parts["dies"]["figures"] == {"before": 1}
    assert 'raise ValueError("not this shape")' in parts["raises"]["figures"]["traceback"]
    assert not any("Traceback" in line for line in lines)


def test_a_part_that_hangs_is_stopped_and_is_a_fault() -> None:
    report, _ = _run([_part("hangs", seconds=3.0), _part("right")])
    assert _statuses(report) == {"hangs": ("stopped", "its 3 s were up"), "right": ("done", "")}
    assert report.parts["hangs"].figures == {"before": 1}
    assert report.wrong == ["hangs: stopped: its 3 s were up"]


def test_the_time_of_all_cuts_a_part_short_and_skips_what_is_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.gpu_parts.running._LEAST", 1.0)
    report, _ = _run([_part("hangs"), _part("right")], seconds=3.0)
    found = _statuses(report)
    assert (found["hangs"][0], found["right"]) == ("cut", ("skipped", "no time left"))
    assert report.parts["hangs"].figures == {"before": 1}
    assert report.wrong == []


def test_a_step_that_fails_leaves_the_others_alone() -> None:
    report, _ = _run([_part("steps")])
    found = report.parts["steps"]
    assert found.checks.keys() == {"breaks", "lacks ours"}
    assert found.checks["breaks"] == {"right": False, "line": "RuntimeError: CUDA error: no kernel image"}
    assert found.left_out["lacks"] == "no module no_such_module"
    assert found.left_out["is late"].startswith("no time left: ")
    assert found.figures["rows"] == 7
    assert [line.split(":")[0] for line in found.wrong] == ["breaks", "lacks ours"]


def test_what_is_needed_and_missing_is_named_before_anything_runs() -> None:
    report, lines = _run([_part("right", needs=("json", "no_such_module", "nor_this.one"))])
    assert _statuses(report) == {"right": ("skipped", "no module no_such_module, nor_this.one")}
    assert lines == ["right: skipped in 0 s: no module no_such_module, nor_this.one"]


@pytest.mark.parametrize("part", gpu.PARTS, ids=lambda part: part.name)
def test_every_need_of_a_part_is_told_when_it_is_missing(part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    for need in part.needs:
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, need, None)
            assert missing(part.needs) == [need]


def test_a_stand_in_is_behind_the_real_package(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [path.stem for path in STAND_INS.iterdir() if path.suffix in (".py", "")]
    monkeypatch.setattr(sys, "path", [*sys.path, str(STAND_INS)])
    assert set(names) >= {"orjson", "pycocotools", "pydantic", "segment_anything"}
    assert missing(names) == stood_in(names) == []


def _command(monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    monkeypatch.setattr(sys, "argv", ["gpu.py", *options])
    monkeypatch.setattr(sys, "path", list(sys.path))
    return gpu.main()


def test_without_a_gpu_it_says_so_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert _command(monkeypatch, "--out", str(tmp_path / "gpu.json")) == 0
    assert capsys.readouterr().out == "no CUDA device here: nothing to check or measure\n"
    assert not (tmp_path / "gpu.json").exists()


@pytest.mark.parametrize(("wrong", "code"), [(False, 0), (True, 1)])
def test_the_exit_code_tells_whether_anything_is_wrong(
    wrong: bool, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    given: list[float] = []

    def run(parts: Sequence[Part], report: Report, seconds: float, say: Any) -> None:
        given.append(seconds)
        check = {"right": not wrong, "line": "3 of 4 texts"}
        report.parts["agreement"] = Found(checks={"answers": check})

    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr(gpu, "run_parts", run)
    assert _command(monkeypatch, "--minutes", "2") == code
    assert 60 < given[0] < 120
    lines = capsys.readouterr().out.splitlines()
    assert ("WRONG: agreement: answers: 3 of 4 texts" in lines) is wrong
    assert lines[-1].startswith(f"{code} wrong, in ")


@pytest.mark.parametrize("command", [["benchmarks/gpu.py"], ["-m", "benchmarks.gpu"]])
def test_it_runs_from_the_source_tree_alone(command: list[str], tmp_path: Path) -> None:
    """Where nothing is installed, not even torch; as a file, from anywhere."""
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('no torch', name='torch')")
    as_file = len(command) == 1
    done = subprocess.run(
        [sys.executable, "-S", *([str(ROOT / command[0])] if as_file else command)],
        cwd=tmp_path if as_file else ROOT,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "no module torch: nothing to check or measure\n", "")
