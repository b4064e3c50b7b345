"""A run that is killed again and again gives what an unbroken one gives, and does hardly anything twice."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.reliability.photographs import make
from tests.reliability.program import WHOLE, Broken, Run, answered, journal_lines

KILLS = 25 if WHOLE else 3
PHOTOGRAPHS = 12 * KILLS
BROKEN_EVERY = 10
SOUND = PHOTOGRAPHS - PHOTOGRAPHS // BROKEN_EVERY
BATCH = 4
DELAY = 0.02
DEVICES = ["cpu", "cpu:2"] if WHOLE else ["cpu"]  # worker processes take seconds to start


def _slow_results() -> None:
    """As worker processes do not hear of `Broken.delay`: what takes their results is slow."""
    from mglmm_cli.results import FolderResults

    add = FolderResults.add

    def slow(self, source, entry):  # type: ignore[no-untyped-def]
        time.sleep(DELAY)
        add(self, source, entry)

    FolderResults.add = slow  # type: ignore[method-assign]


SLOW = Broken(delay=DELAY, prepare=_slow_results)


def _outputs(out: Path) -> tuple[Any, bytes]:
    """What a run wrote, times aside."""
    text = (out / "segcap.json").read_bytes()
    info, _, rest = text.partition(b"\n")
    head = json.loads(info.removesuffix(b",") + b"}")["info"]
    assert head.pop("started") and head.pop("finished")
    return head, rest + (out / "failures.jsonl").read_bytes()


def _command(model: Path, *more: str) -> list[str]:
    how = ["--granularity", "panoptic", "--max-new-tokens", "6", "--batch-size", str(BATCH)]
    return ["segcap", "photos", "-o", "out", "--model", str(model), *how, *more]


def _folder(parent: Path, name: str) -> Path:
    make(parent / name / "photos", PHOTOGRAPHS, broken_every=BROKEN_EVERY)
    return parent / name


@pytest.mark.parametrize("devices", DEVICES)
def test_killed_at_random_moments_it_ends_as_if_it_was_not(tmp_path: Path, tiny_folder: Path, devices: str) -> None:
    command = _command(tiny_folder, "--devices", devices)
    unbroken = Run(_folder(tmp_path, "unbroken"), _command(tiny_folder))
    folder = _folder(tmp_path, "killed")
    draws = random.Random(7)
    killed = 0
    while killed < KILLS:
        done = journal_lines(folder / "out")
        run = Run(folder, command, SLOW)
        aim = done + draws.randrange(1, 12)
        if not run.wait_until(lambda: journal_lines(folder / "out") >= aim):  # noqa: B023
            break
        time.sleep(draws.random() * DELAY)
        run.kill()
        killed += 1
    assert killed == KILLS, run.errors
    last = Run(folder, command)
    assert last.wait() == 3, last.errors
    assert unbroken.wait() == 3, unbroken.errors
    assert _outputs(folder / "out") == _outputs(tmp_path / "unbroken" / "out")
    if devices == "cpu":
        counts = answered(folder)
        assert len(counts) == SOUND
        assert counts.total() - len(counts) <= KILLS * BATCH


@pytest.mark.parametrize("devices", DEVICES)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_stops_it_and_it_says_how_to_go_on(
    tmp_path: Path, tiny_folder: Path, number: signal.Signals, code: int, devices: str
) -> None:
    folder = _folder(tmp_path, "stopped")
    command = _command(tiny_folder, "--devices", devices, "--fresh")
    run = Run(folder, command, SLOW)
    assert run.wait_until(lambda: journal_lines(folder / "out") > 5)
    assert run.process.pid is not None
    os.kill(run.process.pid, number)
    assert run.wait() == code, run.errors
    assert "mglmm: stopping once the photographs in hand are done" in run.errors
    [said] = [line for line in run.errors.splitlines() if "stopped" in line]
    assert said.endswith("to go on: mglmm segcap photos -o out " + " ".join(command[4:-1]))
    # All that is in the journal is counted, on the disk already or not.
    written = (folder / "out" / "journal.jsonl").read_bytes()
    count, failures = written.count(b'"state":"done"'), written.count(b'"state":"failed"')
    failed = f", {failures} failed" if failures else ""
    assert said.startswith(f"mglmm: stopped; {count} photographs done{failed}, {count} in all; ")
    assert not (folder / "out" / "segcap.json").exists()
    assert "Traceback" not in run.errors
    done = journal_lines(folder / "out")
    assert Run(folder, command[:-1]).wait() == 3
    # Each photograph has one line, but for those that failed and were tried again.
    again = (folder / "out" / "journal.jsonl").read_bytes().count(b'"state":"failed"') - PHOTOGRAPHS // BROKEN_EVERY
    assert done > 5 and journal_lines(folder / "out") == PHOTOGRAPHS + again
    if devices == "cpu":
        assert answered(folder).total() == SOUND


def test_a_second_signal_ends_it_at_once(tmp_path: Path, tiny_folder: Path) -> None:
    folder = _folder(tmp_path, "stopped")
    run = Run(folder, _command(tiny_folder), Broken(delay=0.5))
    assert run.wait_until(lambda: journal_lines(folder / "out") > 2)
    assert run.process.pid is not None
    os.kill(run.process.pid, signal.SIGINT)
    run.wait_until(lambda: "stopping" in run.errors)
    before = answered(folder).total()
    os.kill(run.process.pid, signal.SIGINT)
    assert run.wait() == 130, run.errors
    assert answered(folder).total() <= before + BATCH
    assert "to go on: mglmm segcap" in run.errors and "Traceback" not in run.errors


def test_a_second_process_is_refused_and_one_after_a_dead_one_is_not(tmp_path: Path, tiny_folder: Path) -> None:
    folder = _folder(tmp_path, "shared")
    first = Run(folder, _command(tiny_folder), Broken(delay=0.2))
    assert first.wait_until(lambda: journal_lines(folder / "out") > 2)
    second = Run(folder, _command(tiny_folder))
    assert second.wait() == 1
    assert f"out is in use by process {first.process.pid}" in second.errors
    first.kill()
    assert Run(folder, _command(tiny_folder)).wait() == 3
