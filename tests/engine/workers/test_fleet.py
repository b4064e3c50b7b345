"""Several processes with one model: what one process gives, in the same order, whatever befalls them."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import torch
from PIL import Image

from engine.errors import UsageError
from engine.images.sources import Source
from engine.model.checkpoint import Checkpoint, Identity, identify, load
from engine.model.precision import Precision
from engine.pipeline.finishing import Outcome
from engine.pipeline.pipeline import Options, Pipeline
from engine.records import Failure, PhotoRecord
from engine.workers import process
from engine.workers.fleet import Fleet, Worker, describe, parse_devices
from engine.workers.process import Job, Seat, _failed
from tests import program

OPTIONS = Options(granularity="panoptic", batch_size=1, max_new_tokens=6)
CPU = Worker("cpu", 1)
BROKEN = (0, 5, 11)


class Deadly:
    """A path that kills the process that looks at it."""

    def __fspath__(self) -> str:
        assert multiprocessing.parent_process() is not None, "not in a worker"
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


@pytest.fixture(scope="module", autouse=True)
def forked() -> Iterator[None]:
    """Workers that need not import everything first, but for those of the program at the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process.multiprocessing, "get_context", lambda _: program.CONTEXT)
        yield


class Large:
    """The path of a photograph that takes more memory than there is.

    Args:
        path: of the photograph.
        alone: whether it fits when it is tried with nothing beside it, by the thread that drives the pipeline.
    """

    def __init__(self, path: Path, *, alone: bool) -> None:
        self._path, self._alone = path, alone

    def __fspath__(self) -> str:
        assert multiprocessing.parent_process() is not None, "not in a worker"
        if self._alone and threading.current_thread() is threading.main_thread():
            return str(self._path)
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Source]:
    """Twenty-four, three of them unreadable."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(24):
        path = folder / f"{number:02}.png"
        if number in BROKEN:
            path.write_text("no picture")
        else:
            Image.effect_noise((40 + number, 30), 60).convert("RGB").save(path)
    return [Source(path, path.name) for path in sorted(folder.iterdir())]


@pytest.fixture(scope="module")
def fleet(tiny_folder: Path) -> Iterator[Fleet]:
    with Fleet(str(tiny_folder), Precision.FLOAT32, (CPU, CPU), OPTIONS) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def expected(tiny: Checkpoint, photos: Sequence[Source]) -> Sequence[Outcome]:
    return list(Pipeline(tiny, OPTIONS).run(photos))


def _assert_same(outcomes: Sequence[Outcome], expected: Sequence[Outcome]) -> None:
    """Equal but for the borders of masks, which hang on the number of threads."""
    assert [source for source, _ in outcomes] == [source for source, _ in expected]
    for (_, mine), (_, theirs) in zip(outcomes, expected, strict=True):
        if isinstance(mine, PhotoRecord) and isinstance(theirs, PhotoRecord):
            assert (mine.file_name, mine.width, mine.height) == (theirs.file_name, theirs.width, theirs.height)
            assert [segcap.answer for segcap in mine.segcaps] == [segcap.answer for segcap in theirs.segcaps]
        else:
            assert mine == theirs


def _processes() -> set[int]:
    return {process.pid for process in multiprocessing.active_children() if process.pid is not None}


def test_two_processes_give_what_one_gives_in_the_same_order(
    fleet: Fleet, photos: Sequence[Source], expected: Sequence[Outcome]
) -> None:
    assert [isinstance(outcome, Failure) for _, outcome in expected] == [number in BROKEN for number in range(24)]
    _assert_same(list(fleet.run(photos)), expected)
    assert list(fleet.run([])) == []


def test_out_of_order_nothing_waits_for_a_slow_process(fleet: Fleet, photos: Sequence[Source]) -> None:
    stopped = min(_processes())
    outcomes: list[str] = []
    for source, _ in fleet.run((Source(photos[1].path, f"{number}.png") for number in range(120)), in_order=False):
        outcomes.append(source.file_name)
        if len(outcomes) == 10:
            os.kill(stopped, signal.SIGSTOP)
        if len(outcomes) == 110:  # far beyond what may wait for one
            os.kill(stopped, signal.SIGCONT)
    assert sorted(outcomes) == sorted(f"{number}.png" for number in range(120))


def test_a_slow_process_keeps_the_order_and_the_bounds(fleet: Fleet, photos: Sequence[Source]) -> None:
    drawn: list[None] = []

    def draw() -> Iterator[Source]:
        for _ in range(120):
            drawn.append(None)
            yield Source(photos[1].path, f"{len(drawn)}.png")

    slow = min(_processes())
    names: list[str] = []
    ahead = 0
    for source, _ in fleet.run(draw()):
        if len(names) in (10, 60):
            os.kill(slow, signal.SIGSTOP)
            threading.Timer(1.0, os.kill, (slow, signal.SIGCONT)).start()
        names.append(source.file_name)
        ahead = max(ahead, len(drawn) - len(names))
    assert names == [f"{number}.png" for number in range(1, 121)]
    assert ahead <= 2 * 16 * (OPTIONS.batch_size or 0)


def test_a_killed_process_loses_nothing(
    fleet: Fleet, photos: Sequence[Source], expected: Sequence[Outcome], caplog: pytest.LogCaptureFixture
) -> None:
    run = fleet.run(photos)
    outcomes = list(islice(run, 2))
    os.kill(min(_processes()), signal.SIGKILL)
    _assert_same(outcomes + list(run), expected)
    # It may have had nothing in hand by then, and be missed in the next run only.
    _assert_same(list(fleet.run(photos)), expected)
    assert "the process on cpu died (killed by SIGKILL" in caplog.text
    assert len(_processes()) == 2


def test_the_process_after_one_that_memory_killed_writes_fewer_answers_together() -> None:
    seat = Seat(Job("nowhere", Precision.FLOAT32, "cpu", 1, Options(batch_size=6)))
    for number, batch in ((signal.SIGKILL, 3), (signal.SIGABRT, 1), (signal.SIGUSR1, 1)):
        seat.start()
        pid = seat._process.pid
        assert pid is not None
        os.kill(pid, number)
        assert number.name in seat.bury()
        assert seat.job.options.batch_size == batch


def test_a_photograph_that_kills_twice_is_given_up_and_no_other(
    fleet: Fleet, photos: Sequence[Source], expected: Sequence[Outcome], caplog: pytest.LogCaptureFixture
) -> None:
    deadly = Source(cast(Path, Deadly()), "deadly.png")
    (*before, (_, given_up), one, two) = list(fleet.run([*photos[:4], deadly, *photos[4:6]]))
    _assert_same([*before, one, two], expected[:6])
    assert isinstance(given_up, Failure) and (given_up.file_name, given_up.stage) == ("deadly.png", "model")
    assert "died" in given_up.reason and "SIGKILL" in given_up.reason
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2


def test_memory_that_runs_out_in_a_process_is_that_photographs_alone(
    fleet: Fleet, photos: Sequence[Source], expected: Sequence[Outcome], caplog: pytest.LogCaptureFixture
) -> None:
    fits, never = (
        Source(cast(Path, Large(photos[7].path, alone=alone)), photos[7].file_name) for alone in (True, False)
    )
    outcomes = list(fleet.run([*photos[:7], fits, *photos[8:10], never]))
    (_, failure) = outcomes.pop()
    # The one that was tried again has a path of its own.
    _assert_same(
        [(source, outcome) for (_, outcome), (source, _) in zip(outcomes, expected[:10], strict=True)], expected[:10]
    )
    assert isinstance(failure, Failure) and failure.reason.startswith("not enough memory, even for it alone")
    assert not caplog.records  # no process has died of it


@pytest.mark.parametrize("in_order", [True, False])
def test_a_list_that_grows_is_answered_as_it_comes(
    fleet: Fleet, photos: Sequence[Source], expected: Sequence[Outcome], in_order: bool
) -> None:
    answered = threading.Semaphore(1)

    def growing() -> Iterator[Source]:
        for photo in photos[:6]:
            assert answered.acquire(timeout=120.0), "the answer waits for the next name"
            yield photo

    outcomes = []
    for outcome in fleet.run(growing(), in_order=in_order):
        outcomes.append(outcome)
        answered.release()
    _assert_same(outcomes, expected[:6])


def test_closing_a_run_early_ends_the_processes(fleet: Fleet, photos: Sequence[Source]) -> None:
    # The last test with this fleet.
    run = fleet.run(photos)
    next(run)
    assert len(_processes()) == 2
    run.close()
    assert not _processes()
    with pytest.raises(ValueError, match="closed"):
        next(fleet.run(photos))


def test_a_bug_in_a_process_comes_with_its_traceback(tiny_folder: Path) -> None:
    with (
        Fleet(str(tiny_folder), Precision.FLOAT32, (CPU,), OPTIONS) as fleet,
        pytest.raises(RuntimeError, match=r"(?s)process on cpu.*Traceback.*AttributeError"),
    ):
        list(fleet.run([cast(Source, SimpleNamespace())]))
    assert not _processes()


def test_memory_that_is_too_small_for_a_process_is_one_line() -> None:
    short = _failed(RuntimeError("DefaultCPUAllocator: can't allocate\nmemory"))
    assert str(short.error).startswith("not enough memory for a process (DefaultCPUAllocator: can't allocate memory)")
    assert "fewer devices" in str(short.error)
    bug = _failed(ValueError("a bug"))
    assert bug.error is None and "ValueError: a bug" in bug.trace


def test_a_start_that_fails_is_one_error_and_ends_the_others(tiny_folder: Path) -> None:
    with pytest.raises(UsageError, match="no device 'cuda:63' here") as caught:
        Fleet(str(tiny_folder), Precision.FLOAT32, (CPU, Worker("cuda:63", 1)), OPTIONS)
    assert "\n" not in str(caught.value)
    assert not _processes()


def test_the_program_runs_several_processes(tiny_folder: Path, photos: Sequence[Source], tmp_path: Path) -> None:
    how = ["--model", str(tiny_folder), "--devices", "cpu:2", "--granularity", "panoptic", "--max-new-tokens", "6"]
    done = program.run_text("segcap", photos[0].path.parent, "-o", tmp_path / "out", *how, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert f"mglmm: {tiny_folder} in 2 processes: 2 on cpu" in done.stderr
    assert "21 photographs done" in done.stderr and "Traceback" not in done.stderr
    lines = (tmp_path / "out" / "journal.jsonl").read_text().splitlines()
    assert identify(str(tiny_folder)).sha256 in lines[0]
    names = {value["name"] for value in map(json.loads, lines) if "name" in value}
    assert sorted(names) == [f"{number:02}.png" for number in range(24)]


def test_a_list_of_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 6)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert parse_devices("cpu") == parse_devices("cpu:1") == (Worker("cpu", 6),)
    assert parse_devices("cuda:1") == (Worker("cuda:1", 6),)
    assert parse_devices("cpu:2") == parse_devices("cpu,cpu") == (Worker("cpu", 3),) * 2
    assert parse_devices("cuda:0, cuda:1") == (Worker("cuda:0", 3), Worker("cuda:1", 3))
    assert parse_devices("all") == tuple(Worker(f"cuda:{index}", 2) for index in range(3))
    assert parse_devices("cpu:4") == (Worker("cpu", 1),) * 4
    assert describe(parse_devices("cpu:4,cuda")) == "4 on cpu (1 thread each), 1 on cuda (1 thread)"
    assert describe(parse_devices("cuda:1")).startswith("cuda:1 (")


@pytest.mark.parametrize("text", ["", "gpu", "cpu:0", "cpu:x", "cpu:-1", "cuda:x", "cpu,,cpu", "all,cpu", "2"])
def test_other_lists_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_devices(text)


def test_all_needs_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(UsageError, match="no CUDA device here; give cpu"):
        parse_devices("all")


def test_a_model_is_identified_as_it_is_loaded(tiny_folder: Path, tiny: Checkpoint, tmp_path: Path) -> None:
    assert identify(str(tiny_folder)) == Identity(tiny.name, tiny.sha256, tiny.config)
    drawn = load("random:nano")
    assert identify("random:nano") == Identity(drawn.name, drawn.sha256, drawn.config)
    with pytest.raises(UsageError, match="manifest.json is missing"):
        identify(str(tmp_path))
