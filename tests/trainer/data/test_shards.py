"""Records on disk: what is written is read back by number, and nothing half written is left."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.decoding.sequence import Turn
from engine.errors import MglmmError, UsageError
from engine.text.prompts import Task
from tests.trainer.data.recording import caption, mask, referring, store
from trainer.data.record import Record
from trainer.data.shards import INFO, Shards, Skip, write_shards

RECORDS = [
    referring("a.png", "the cup"),
    caption("a.png"),
    referring("a.png", "both cups", mask(0, 3), mask(5, 9)),
    *(referring("b/ü.png", f"cup {number}", None) for number in range(20)),
    caption("c.png", "An “odd” caption\nof two lines."),
    referring("a.png", "the mat"),
]


def test_records_come_back_by_number_from_several_shards(tmp_path: Path) -> None:
    shards = store(tmp_path / "set", RECORDS)
    assert len(list((tmp_path / "set").glob("*.jsonl"))) > 3
    assert len(shards) == len(RECORDS)
    assert [shards[number] for number in range(len(shards))] == RECORDS
    for outside in (-1, len(RECORDS)):
        with pytest.raises(IndexError):
            shards[outside]


def test_an_index_of_eight_bytes_a_record_knows_tasks_photographs_and_lengths(tmp_path: Path) -> None:
    shards = store(tmp_path / "set", RECORDS, shard_bytes=10**6)
    assert sum(path.stat().st_size for path in (tmp_path / "set").glob("*.index")) == 8 * len(RECORDS)
    assert shards.tasks == (Task.REFERRING, Task.CAPTION)
    assert shards.of_task(Task.CAPTION).tolist() == [1, 23]
    assert not len(shards.of_task(Task.GCG))
    (entries,) = shards.entries(Task.REFERRING)
    assert entries.numbers.tolist() == [0, *range(2, 23), 24]
    # The last record shows a.png as well, but does not stand beside the others.
    assert np.unique(entries.photographs, return_counts=True)[1].tolist() == [2, 20, 1]
    # Segment the cup . <p> the cup </p> [SEG]
    assert entries.lengths.tolist() == [9, 10, *[9] * 20, 9]


def test_what_the_set_holds_is_written_down(tmp_path: Path) -> None:
    skips = [Skip("no mask", 7, ("x.json: 3",))]
    write_shards(
        tmp_path / "set",
        RECORDS,
        format_name="made",
        template="nano",
        images="/photos",
        tool="t 1",
        skips=lambda: skips,
    )
    info = Shards.open(tmp_path / "set").info
    assert (info.format, info.template, info.images, info.tool) == ("made", "nano", "/photos", "t 1")
    assert {task: count for task, count in info.records.items() if count} == {Task.REFERRING: 23, Task.CAPTION: 2}
    assert (info.masks, info.photographs, info.skipped) == (4, 4, tuple(skips))


def test_a_very_long_text_does_not_spoil_the_index(tmp_path: Path) -> None:
    long = Record("a.png", 20, 30, Task.CONVERSATION, (Turn("?", "x " * 100_000),), (), "made")
    shards = store(tmp_path / "set", [long, caption("a.png")])
    assert shards[0] == long
    assert shards.length(0) == 65535
    assert shards.of_task(Task.CAPTION).tolist() == [1]


def test_a_folder_that_holds_something_is_refused_and_an_empty_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    store(tmp_path / "set", RECORDS)
    with pytest.raises(UsageError, match="not an empty folder"):
        store(tmp_path / "set", RECORDS)


def test_nothing_is_left_of_a_conversion_that_fails(tmp_path: Path) -> None:
    def failing() -> Iterator[Record]:
        yield from RECORDS
        raise UsageError("x.json: not JSON")

    with pytest.raises(UsageError, match="not JSON"):
        store(tmp_path / "set", failing())
    assert not list(tmp_path.iterdir())


def test_no_record_at_all_is_an_error_with_the_reasons(tmp_path: Path) -> None:
    with pytest.raises(MglmmError, match=r"no record can be used: no mask: 2, as x.json: 3"):
        write_shards(
            tmp_path / "set",
            [],
            format_name="made",
            template="nano",
            images=".",
            tool="t",
            skips=lambda: [Skip("no mask", 2, ("x.json: 3",))],
        )
    assert not list(tmp_path.iterdir())


def test_damage_names_file_and_record(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    store(folder, RECORDS, shard_bytes=10**6)
    part = folder / "part-00000.jsonl"
    lines = part.read_bytes().splitlines(keepends=True)
    value = json.loads(lines[0])
    value["turns"][0]["answer"] += " [SEG]"
    part.write_bytes(lines[0] + b"?" * (len(lines[1]) - 1) + b"\n" + b"".join(lines[2:]))
    with pytest.raises(UsageError, match=r"part-00000.jsonl: record 1: "):
        Shards.open(folder)[1]
    part.write_bytes(json.dumps(value).encode() + b"\n")
    with pytest.raises(UsageError, match=r"part-00000.jsonl: record 0: 2 \[SEG\] but 1 masks"):
        Shards.open(folder)[0]
    index = folder / "part-00000.index"
    index.write_bytes(index.read_bytes()[:-3])
    with pytest.raises(UsageError, match="not of 25 records, convert again"):
        Shards.open(folder)
    part.unlink()
    with pytest.raises(UsageError, match=r"part-00000.jsonl: missing"):
        Shards.open(folder)
    (folder / INFO).write_text("{}")
    with pytest.raises(UsageError, match="damaged, convert again"):
        Shards.open(folder)
    with pytest.raises(UsageError, match=r"no training records there \(uscdf.json is missing\)"):
        Shards.open(tmp_path)


def test_another_process_gets_the_folder_not_the_index(tmp_path: Path) -> None:
    shards = store(tmp_path / "set", RECORDS)
    sent = pickle.dumps(shards)
    assert len(sent) < 500
    assert pickle.loads(sent)[24] == RECORDS[24]
