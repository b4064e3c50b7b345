"""What a run reports."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from trainer.run.progress import LOG, TENSORBOARD, Progress


def _steps(out: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (out / LOG).read_text().splitlines()]


def test_entries_of_steps_that_come_again_are_dropped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(tmp_path, 40, 0, speaks=True) as progress:
        for done in range(1, 31):
            progress.step(done, {"total": 1.0 / done, "text": 0.5}, 1e-3)
        progress.validated(30, {"iou": 0.25}, best=True)
    assert _steps(tmp_path) == [*range(1, 11), 20, 30, 30]
    with (tmp_path / LOG).open("a") as log:
        log.write('{"step": 31, "tot')  # as a killed program leaves it
    with Progress(tmp_path, 40, 20, speaks=True) as progress:
        for done in range(21, 41):
            progress.step(done, {"total": 2.0, "text": 0.5}, 1e-3)
    assert _steps(tmp_path) == [*range(1, 11), 20, 30, 40]
    lines = capsys.readouterr().err.splitlines()
    assert any(line.startswith("step 30/40  val: iou 0.250  best so far") for line in lines)
    assert "total 0.100" in lines[9] and "s a step" in lines[9]

    board = EventAccumulator(str(tmp_path / TENSORBOARD))
    board.Reload()
    assert [event.step for event in board.Scalars("train/total")] == [*range(1, 11), 20, 30, 40]
    assert [event.value for event in board.Scalars("train/total")][-2:] == [2.0, 2.0]


def test_a_short_run_leaves_every_step(tmp_path: Path) -> None:
    with Progress(tmp_path, 13, 0, speaks=True) as progress:
        for done in range(1, 14):
            progress.step(done, {"total": 1.0}, 1e-3)
    assert _steps(tmp_path) == [*range(1, 11), 13]


def test_a_number_that_is_not_finite_is_null(tmp_path: Path) -> None:
    with Progress(tmp_path, 40, 0, speaks=True) as progress:
        progress.validated(1, {"loss": math.nan, "iou": 0.5}, best=False)
    (line,) = (tmp_path / LOG).read_text().splitlines()
    entry = json.loads(line, parse_constant=pytest.fail)
    assert (entry["val_loss"], entry["val_iou"]) == (None, 0.5)


@pytest.mark.parametrize("line", ["5", "[]", "null", '{"step": "x"}', '{"step": null}', "{", "\udcff", ""])
def test_a_damaged_log_is_no_reason_to_stop(line: str, tmp_path: Path) -> None:
    (tmp_path / LOG).write_bytes(b'{"step": 1}\n' + line.encode("utf-8", "surrogateescape") + b'\n{"step": 2}\n')
    with Progress(tmp_path, 40, 2, speaks=True):
        assert _steps(tmp_path) == [1, 2]


def test_what_is_left_out_is_named_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(tmp_path, 40, 0, speaks=True) as progress:
        for names in (["a", "b", "a"], [], ["c", "d", "e", "a"]):
            progress.left_out(names)
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition(": ")[2] for line in lines] == ["a", "b", "c", "5 conversations"]
    assert all(line.startswith("left out") for line in lines)


def test_only_the_first_process_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(tmp_path, 10, 0, speaks=False) as progress:
        progress.step(10, {"total": 1.0}, 1e-3)
        progress.validated(10, {"iou": 0.5}, best=False)
        progress.left_out(["a"])
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err == ""
