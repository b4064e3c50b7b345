"""What is kept about photographs does not grow with their number, but for a few numbers each in an index."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.images.sources import find_sources
from engine.journal import Index, Journal, RunInfo, Start
from engine.records import RLE, Mask, PhotoRecord, SegCap
from engine.text.grammar import parse
from exporters.coco import write_coco

INFO = RunInfo("mglmm 1.0", "nano", "ab12")
FEW, MANY = 200, 2_000
FOLDER = 100
_MASK = Mask(RLE(480, 640, "0" * 400), 9, (0.0, 0.0, 3.0, 3.0), 0.5)
_ANSWER = SegCap("panoptic", "Describe.", parse("<p> a cat </p> [SEG] and <p> a dog </p> [SEG]."), (_MASK, _MASK))
RECORD = PhotoRecord("", 640, 480, (_ANSWER,))


def _names(folder: Path, count: int) -> Path:
    for number in range(count):
        below = folder / f"{number // FOLDER:03}"
        below.mkdir(parents=True, exist_ok=True)
        (below / f"{number}.jpg").touch()
    return folder


def _journal(path: Path, count: int) -> Path:
    with Journal(path, Start(INFO)) as journal:
        journal.begin()
        for number in range(count):
            journal.append(replace(RECORD, file_name=f"{number}.jpg"))
    return path


def _peak(work: Callable[[], object]) -> int:
    """The least of three runs: whatever else the process does now and then is not to be counted."""
    return min(_traced(work) for _ in range(3))


def _traced(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("few")
    _names(folder / "photographs", FEW)
    _journal(folder / "journal.jsonl", FEW)
    return folder


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    _names(folder / "photographs", MANY)
    _journal(folder / "journal.jsonl", MANY)
    return folder


def _find(folder: Path) -> int:
    return sum(1 for _ in find_sources([str(folder / "photographs")], None))


def _append(folder: Path) -> None:
    count = FEW if folder.name.startswith("few") else MANY
    _journal(folder / "again.jsonl", count).unlink()


def _read(folder: Path) -> int:
    index = Index(folder / "journal.jsonl")
    try:
        return sum(1 for _ in index.photographs())
    finally:
        index.close()


def _export(folder: Path) -> None:
    index = Index(folder / "journal.jsonl")
    try:
        write_coco(index, folder / "segcap.json", INFO)
    finally:
        index.close()


@pytest.mark.parametrize("work", [_find, _append])
def test_memory_is_that_of_a_few(work: Callable[[Path], object], few: Path, many: Path) -> None:
    work(few)  # what is made once, such as compiled expressions
    small, large = _peak(lambda: work(few)), _peak(lambda: work(many))
    # A single integer per photograph would be 56 kB, a file name 100 kB.
    assert large < small + 50_000


@pytest.mark.parametrize("work", [_read, _export])
def test_an_index_takes_a_few_numbers_a_photograph(work: Callable[[Path], object], few: Path, many: Path) -> None:
    work(few)
    small, large = _peak(lambda: work(few)), _peak(lambda: work(many))
    assert large < small + 100 * (MANY - FEW)


def test_all_photographs_are_there(many: Path) -> None:
    assert _find(many) == _read(many) == MANY
