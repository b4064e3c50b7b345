"""What is written is found again; what is torn or damaged is never taken for a photograph."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import MglmmError, UsageError
from engine.journal import Fingerprint, Index, Journal, RunInfo, Start, to_json
from engine.journal.lines import seal, unseal
from engine.records import RLE, Failure, Mask, PhotoRecord, SegCap
from engine.text.grammar import parse

INFO = RunInfo("mglmm 1.0", "nano", "ab12" * 16, {"batch_size": 4, "granularity": "both", "seed": 0})
START = Start(INFO, ("photos",), "/data")
HELD = Fingerprint("00ff", "12-34-56")
NAMES = ("a/b.jpg", 'caf\\xE9 \n".jpg', ',"photo":.jpg', "雪.jpg", "z.jpg")


def cat(file_name: str = "a/b.jpg", caption: str = "A cat.") -> PhotoRecord:
    mask = Mask(RLE(2, 3, "06"), 6, (0.0, 0.0, 3.0, 2.0), 0.5)
    return PhotoRecord(file_name, 3, 2, (SegCap("panoptic", caption, parse("<p> A cat </p> [SEG]."), (mask,)),))


def write(path: Path, *entries: PhotoRecord | Failure, start: Start = START, finish: bool = False) -> Path:
    """Entries in the order of the inputs, into a new journal or behind the lines of another run."""
    with Journal(path, start) as journal:
        journal.begin()
        for at, entry in enumerate(entries):
            journal.append(entry, at=at, held=HELD)
        if finish:
            journal.finish()
    return path


def read(path: Path) -> list[dict[str, object]]:
    index = Index(path)
    try:
        return list(index.photographs())
    finally:
        index.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


@given(st.dictionaries(st.text(), st.integers() | st.text(), min_size=1))
def test_a_sealed_line_is_json_and_opens_again(value: dict[str, object]) -> None:
    text = json.dumps(value).encode()
    line = seal(text)
    assert line.count(b"\n") == 1
    assert {"crc"} | value.keys() == json.loads(line).keys() if "crc" not in value else True
    assert unseal(line) == text[1:]


def test_every_name_is_found_again(path: Path) -> None:
    write(path, *map(cat, NAMES), Failure("broken.jpg", "open", "no such file"))
    with Journal(path, START) as journal:
        for name in NAMES:
            place = journal.find(name)
            assert place is not None and place.done and place.known == HELD
            assert journal.read(place) == cat(name)
        place = journal.find("broken.jpg")
        assert place is not None and not place.done
        assert journal.read(place) == Failure("broken.jpg", "open", "no such file")
        assert journal.find("other.jpg") is None
        assert journal.index is not None
        assert (journal.index.done, journal.index.failed) == (len(NAMES), 1)


def test_a_journal_whose_names_hold_half_characters_goes_on(path: Path) -> None:
    """As journals had the bytes of a name that are no UTF-8."""
    write(path, cat("x.jpg"))
    old = []
    for line in path.read_text(encoding="ascii").splitlines():
        rest = line.replace("x.jpg", "caf\\udce9.jpg").replace('"photos"', '"caf\\udce9"')[len('{"crc":"00000000",') :]
        old.append(seal(b"{" + rest.encode()))
    path.write_bytes(b"".join(old))
    with Journal(path, START) as journal:
        place = journal.find(r"caf\xE9.jpg")
        assert place is not None and place.done and place == journal.find("caf\udce9.jpg")
        assert journal.read(place) == cat(r"caf\xE9.jpg")
        assert journal.index is not None and journal.index.start is not None
        assert journal.index.start.inputs == ("caf\udce9",)
        assert [value["file_name"] for value in journal.index.photographs()] == [r"caf\xE9.jpg"]
        journal.begin()
        journal.append(cat(r"caf\xE9.jpg", "Another cat."), held=HELD)
    assert [value["file_name"] for value in read(path)] == [r"caf\xE9.jpg"]


def test_inputs_are_written_as_text_and_come_back(path: Path) -> None:
    start = Start(INFO, ("caf\udce9", r"caf\xE9", "-"), "/d\udcffta")
    write(path, cat(), start=start)
    assert b"\\udc" not in path.read_bytes()
    index = Index(path)
    index.close()
    assert index.start is not None and (index.start.inputs, index.start.folder) == (start.inputs, start.folder)


def test_photographs_come_in_the_order_of_the_inputs(path: Path) -> None:
    with Journal(path, START) as journal:
        journal.begin()
        for at in (3, 0, 2, 1):
            journal.append(cat(f"{at}.jpg"), at=at)
    assert [value["file_name"] for value in read(path)] == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]


def test_the_last_line_of_a_photograph_counts(path: Path) -> None:
    write(path, cat("a.jpg", "old"), Failure("b.jpg", "model", "out of memory"), cat("c.jpg"))
    write(path, cat("a.jpg", "new"), cat("b.jpg"))
    assert read(path) == [to_json(cat("a.jpg", "new")), to_json(cat("b.jpg")), to_json(cat("c.jpg"))]


def test_a_failure_that_a_whole_run_did_not_meet_again_is_forgotten(path: Path) -> None:
    write(path, cat("a.jpg"), Failure("b.jpg", "open", "damaged"), finish=True)
    write(path, finish=False)
    assert [value["file_name"] for value in Index(path).failures()] == ["b.jpg"]
    write(path, finish=True)
    assert not list(Index(path).failures())
    assert len(read(path)) == 1


def test_names_with_one_hash_are_kept_apart(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.journal.index.hash", lambda name: 7, raising=False)
    write(path, *map(cat, NAMES), cat(NAMES[0], "new"))
    assert len(read(path)) == len(NAMES)
    with Journal(path, START) as journal:
        for name in NAMES:
            place = journal.find(name)
            assert place is not None
            assert journal.read(place) == cat(name, "new" if name == NAMES[0] else "A cat.")


def test_times_are_those_of_the_first_start_and_the_last_end(path: Path) -> None:
    write(path, cat("a.jpg"))
    assert not Index(path).info.finished
    started = Index(path).info.started
    write(path, cat("b.jpg"), finish=True)
    info = Index(path).info
    assert info.started == started and info.finished
    assert replace(info, started="", finished="") == INFO


def test_other_options_are_named_and_free_ones_are_not(path: Path) -> None:
    write(path, cat())
    free = replace(INFO, tool="mglmm 2.0", options={**INFO.options, "batch_size": 1})
    write(path, start=replace(START, info=free))
    other = replace(INFO, model="big", model_hash="cd34" * 16, options={**INFO.options, "granularity": "fine"})
    with pytest.raises(UsageError, match=r"model was nano \(ab12.*\), is big.*granularity was both, is fine.*--fresh"):
        Journal(path, replace(START, info=other))
    before = path.read_bytes()
    with Journal(path, replace(START, info=other), fresh=True) as journal:
        assert path.read_bytes() == before
        assert journal.find("a/b.jpg") is None
        journal.begin()
    assert Index(path).info.model == "big" and not read(path)


def test_torn_anywhere_it_loses_the_last_line_and_goes_on(path: Path) -> None:
    whole = write(path, cat("a.jpg"), cat("b.jpg")).read_bytes()
    ends = [at + 1 for at, byte in enumerate(whole) if byte == 10]
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        kept = [name for end, name in zip(ends[1:], ("a.jpg", "b.jpg"), strict=True) if end <= cut]
        assert [value["file_name"] for value in read(path)] == kept
        if cut % 23 == 0:
            write(path, cat("c.jpg"), finish=True)
            assert sorted(str(value["file_name"]) for value in read(path)) == sorted([*kept, "c.jpg"])
            assert not Index(path).damaged


@given(st.data())
def test_flipped_bytes_never_make_a_wrong_record(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("flipped") / "journal.jsonl"
    entries = [cat(name) for name in NAMES]
    whole = bytearray(write(path, *entries, finish=True).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    index = Index(path)
    assert all(value in map(to_json, entries) for value in index.photographs())
    # Whatever is missing is known to be.
    assert index.done == len(entries) or index.damaged or index.end < len(whole)
    if index.damaged:
        with pytest.raises(MglmmError, match=f"line {index.damaged[0]} is damaged"):
            index.require_whole()


def test_a_damaged_line_is_known_once_a_run_goes_on(path: Path) -> None:
    lines = write(path, cat("a.jpg"), cat("b.jpg"), cat("c.jpg")).read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"b.jpg", b"B.jpg", 1)
    path.write_bytes(b"".join(lines))
    with Journal(path, START) as journal:
        assert journal.index is not None and journal.index.damaged == [3]
        assert journal.find("a.jpg") and not journal.find("b.jpg") and not journal.find("B.jpg")
        journal.begin()
        journal.append(cat("b.jpg"), at=1)
    assert [value["file_name"] for value in read(path)] == ["a.jpg", "b.jpg", "c.jpg"]
    assert not Index(path).damaged
    assert path.read_bytes().startswith(b"".join(lines))


@pytest.mark.parametrize(
    "data", [b"a note of mine", b'{"journal":1,"info":{}}\n', b"\n", seal(b'{"run":{"version":99}}'), b"{}\n{}\n"]
)
def test_what_is_no_journal_is_left_alone(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(MglmmError, match=r"journal\.jsonl"):
        Journal(path, START)
    assert path.read_bytes() == data


def test_lines_are_on_the_disk_when_they_count(path: Path) -> None:
    with Journal(path, START) as journal:
        journal.begin()
        for number in range(5):
            journal.append(cat(f"{number}.jpg"))
            assert journal.durable <= number + 1
            assert len(read(path)) == number + 1  # the system has each at once
        journal.sync()
        assert journal.durable == 5
        journal.finish()
        assert journal.durable == 5
