"""`mglmm segcap -` in this process, on a list that grows: answers and signals do not wait for the next name."""

from __future__ import annotations

import io
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image

from mglmm_cli.main import cli

PATIENCE = 120.0


@dataclass(slots=True)
class Listed:
    """The program's other end.

    Attributes:
        names: descriptor to write the list to.
        answers: what it has written so far with `-o -`.
        problems: what went wrong here.
    """

    names: int
    answers: io.BufferedReader
    problems: list[BaseException] = field(default_factory=list)

    def name(self, photo: Path) -> None:
        os.write(self.names, os.fsencode(photo) + b"\n")


@contextmanager
def _driven(monkeypatch: pytest.MonkeyPatch, drive: Callable[[Listed], None]) -> Iterator[Listed]:
    """Streams for the program, whose other ends a thread has; it closes the list in any case."""
    (list_out, list_in), (answers_out, answers_in) = os.pipe(), os.pipe()
    other = Listed(list_in, os.fdopen(answers_out, "rb"))

    def run() -> None:
        try:
            drive(other)
        except BaseException as error:
            other.problems.append(error)
        finally:
            os.close(list_in)

    thread = threading.Thread(target=run)
    with open(list_out) as stdin, open(answers_in, "w") as stdout:
        monkeypatch.setattr("sys.stdin", stdin)
        monkeypatch.setattr("sys.stdout", stdout)
        thread.start()
        yield other
    thread.join(PATIENCE)
    assert not thread.is_alive() and not other.problems, other.problems


def _run(model: Path, *args: str | Path) -> int:
    how = ["--model", str(model), "--granularity", "panoptic", "--max-new-tokens", "4", "--decoder", "torch"]
    code: int = cli.main(["segcap", "-", *map(str, args), *how], standalone_mode=False)
    return code


@pytest.fixture
def photos(tmp_path: Path) -> Sequence[Path]:
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        Image.effect_noise((40 + number, 30), 60).convert("RGB").save(path)
    paths[1].write_text("no picture")
    return paths


def test_each_line_comes_before_the_next_name(
    tiny_folder: Path, photos: Sequence[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_by_one(other: Listed) -> None:
        for photo in photos:
            other.name(photo)
            assert photo.name in json.loads(other.answers.readline())["file_name"]

    with _driven(monkeypatch, one_by_one):
        assert _run(tiny_folder, "-o", "-") == 3


def test_each_photograph_is_in_the_journal_before_the_next_name(
    tiny_folder: Path, photos: Sequence[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = tmp_path / "out" / "journal.jsonl"

    def one_by_one(other: Listed) -> None:
        for done, photo in enumerate(photos, start=1):
            other.name(photo)
            limit = time.monotonic() + PATIENCE
            while not (journal.exists() and journal.read_bytes().count(b'"state"') == done):
                assert time.monotonic() < limit, f"{photo.name} is not in the journal"
                time.sleep(0.005)

    with _driven(monkeypatch, one_by_one):
        assert _run(tiny_folder, "-o", tmp_path / "out", "--overlay") == 3
    assert len(list((tmp_path / "out" / "overlays").rglob("*.jpg"))) == 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_while_it_waits_for_the_list(
    tiny_folder: Path,
    photos: Sequence[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    code: int,
) -> None:
    ended = threading.Event()

    def answered_then_silent(other: Listed) -> None:
        other.name(photos[0])
        assert other.answers.readline()
        os.kill(os.getpid(), number)
        assert ended.wait(PATIENCE), "it waits for the list"

    with _driven(monkeypatch, answered_then_silent):
        assert _run(tiny_folder, "-o", "-") == code
        ended.set()
