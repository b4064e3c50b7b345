"""The number of a photograph is given once, before a model sees it, and is no other's ever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.errors import MglmmError
from engine.journal import LARGEST, Index, Journal, RunInfo, Start
from engine.journal.lines import dump, load, seal, unseal
from engine.journal.numbers import Numbers
from engine.records import Failure, PhotoRecord

START = Start(RunInfo("mglmm 1.0", "nano", "ab12" * 16, {"granularity": "both"}), ("photos",), "/data")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def numbers(path: Path) -> dict[str, int]:
    index = Index(path)
    try:
        return {entry.form["file_name"]: entry.number for entry in index.entries()}
    finally:
        index.close()


def run(path: Path, *names: str, failing: str = "") -> None:
    """What is new among the names is done, in their order."""
    with Journal(path, START) as journal:
        todo = [(at, name) for at, name in enumerate(names) if not ((place := journal.find(name)) and place.done)]
        for _, name in todo[:1]:
            journal.see(name)
        journal.begin()
        for at, name in todo:
            journal.see(name)
            entry = Failure(name, "open", "no such file") if name == failing else PhotoRecord(name, 3, 2)
            journal.append(entry, at=at)
        journal.finish()


def older(path: Path) -> None:
    """Make the journal what a version without numbers has written."""
    lines = []
    for line in path.read_bytes().splitlines(keepends=True):
        value = load(b"{" + (unseal(line) or b""))
        if "name" not in value:
            lines.append(line)
        elif "photo" in value:
            del value["number"]
            lines.append(seal(dump(value)))
    path.write_bytes(b"".join(lines))


def test_photographs_that_are_added_in_front_change_no_number(path: Path) -> None:
    run(path, "b.jpg", "d.jpg")
    run(path, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    assert numbers(path) == {"a.jpg": 3, "b.jpg": 1, "c.jpg": 4, "d.jpg": 2}


def test_it_is_written_before_the_answer(path: Path) -> None:
    with Journal(path, START) as journal:
        journal.see("b.jpg")
        journal.begin()
        journal.see("c.jpg")
        assert [json.loads(line).get("number") for line in path.read_bytes().splitlines()] == [None, 1, 2]
    # Killed there. What is found first now comes behind.
    run(path, "a.jpg", "b.jpg", "c.jpg")
    assert numbers(path) == {"a.jpg": 3, "b.jpg": 1, "c.jpg": 2}


def test_it_stays_with_a_photograph_that_is_done_again_or_failed_at_first(path: Path) -> None:
    run(path, "a.jpg", "b.jpg", "c.jpg", failing="b.jpg")
    run(path, "0.jpg", "a.jpg", "b.jpg", "c.jpg")
    with Journal(path, START) as journal:
        journal.see("a.jpg")
        journal.begin()
        journal.append(PhotoRecord("a.jpg", 30, 20))
    assert numbers(path) == {"0.jpg": 4, "a.jpg": 1, "b.jpg": 2, "c.jpg": 3}


def test_a_list_that_names_one_twice_gives_it_one(path: Path) -> None:
    with Journal(path, START) as journal:
        journal.begin()
        for name in ("a.jpg", "b.jpg", "a.jpg"):
            journal.see(name)
            journal.append(PhotoRecord(name, 3, 2))
    assert numbers(path) == {"a.jpg": 1, "b.jpg": 2}


def test_an_older_journal_is_numbered_in_the_order_of_its_photographs_and_keeps_that(path: Path) -> None:
    with Journal(path, START) as journal:
        journal.begin()
        for at, name in ((2, "c.jpg"), (0, "a.jpg"), (3, "d.jpg")):
            journal.append(PhotoRecord(name, 3, 2), at=at)
        journal.append(Failure("b.jpg", "open", "no such file"), at=1)
    older(path)
    assert numbers(path) == {"a.jpg": 1, "c.jpg": 2, "d.jpg": 3}
    run(path, "0.jpg", "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    assert numbers(path) == {"0.jpg": 4, "a.jpg": 1, "b.jpg": 5, "c.jpg": 2, "d.jpg": 3}
    run(path, "00.jpg")
    assert numbers(path)["00.jpg"] == 6


def test_what_an_older_version_does_again_keeps_it(path: Path) -> None:
    run(path, "a.jpg", "b.jpg")
    content = path.read_bytes()
    extra = path.with_name("extra.jsonl")
    run(extra, "b.jpg")
    older(extra)
    path.write_bytes(content + extra.read_bytes())
    assert numbers(path) == {"a.jpg": 1, "b.jpg": 2}


@pytest.mark.parametrize("hit", ["seen", "done"])
def test_either_of_its_lines_may_be_damaged(path: Path, hit: str) -> None:
    run(path, "a.jpg", "b.jpg", "c.jpg")
    lines = path.read_bytes().splitlines(keepends=True)
    at = next(
        at for at, line in enumerate(lines) if b'"name":"b.jpg"' in line and (b'"photo"' in line) == (hit == "done")
    )
    lines[at] = lines[at].replace(b"b.jpg", b"x.jpg")
    path.write_bytes(b"".join(lines))
    run(path, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    assert numbers(path) == {"a.jpg": 1, "b.jpg": 2, "c.jpg": 3, "d.jpg": 4}


def test_ids_of_a_list_are_taken_where_they_are_such_numbers() -> None:
    given = Numbers(50)
    assert [given.give({"id": number}) for number in (7, 0, LARGEST + 1, "x", True)] == [7, 0, 51, 52, 53]
    assert given.give({"id": 99}) == 99 and given.give() == 100


def test_where_none_is_left_it_is_said() -> None:
    with pytest.raises(MglmmError, match="no ids are left"):
        Numbers(LARGEST).give()
