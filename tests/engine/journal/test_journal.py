"""What is written is found again; what is torn or damaged is never taken for a photograph."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import MglmmError, UsageError
from engine.journal import Fingerprint, Index, Journal, RunInfo, Start, dump, open_index, to_json
from engine.journal.lines import seal, unseal
from engine.journal.writer import Writer
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
    ends = {name: line.end for line in _lines(whole) for name in ("a.jpg", "b.jpg") if name == line.name}
    assert len(ends) == 2
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        kept = [name for name, end in ends.items() if end <= cut]
        assert [value["file_name"] for value in read(path)] == kept
        if cut % 23 == 0:
            write(path, cat("c.jpg"), finish=True)
            assert sorted(str(value["file_name"]) for value in read(path)) == sorted([*kept, "c.jpg"])
            assert not Index(path).damaged


@dataclass(frozen=True, slots=True)
class _Line:
    begin: int
    end: int
    name: str  # of its photograph, if it is one's


def _lines(whole: bytes) -> list[_Line]:
    lines, begin = [], 0
    for line in whole.splitlines(keepends=True):
        lines.append(_Line(begin, begin + len(line), json.loads(line).get("name", "")))
        begin += len(line)
    return lines


def _long_life(path: Path) -> bytes:
    """A journal of two runs: a line of the first was damaged, a newer version wrote one, and all ended well."""
    lines = write(path, cat(NAMES[0]), cat(NAMES[1])).read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"A cat", b"A dog", 1)
    path.write_bytes(b"".join([*lines, seal(b'{"note":"hello"}')]))
    write(path, *map(cat, (NAMES[0], *NAMES[2:])), Failure("broken.jpg", "open", "no such file"), finish=True)
    return path.read_bytes()


@given(st.data())
def test_whatever_bytes_flip_every_other_photograph_survives(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("flipped") / "journal.jsonl"
    whole = bytearray(_long_life(path))
    lines = _lines(bytes(whole))
    flips = st.tuples(st.integers(0, len(whole) - 1), st.integers(1, 255))
    # One anywhere, or one in each of any lines: those that say what the run is as well.
    single = st.tuples(flips)
    many = st.lists(st.sampled_from(lines), min_size=1, unique=True).flatmap(
        lambda hit: st.tuples(*(st.tuples(st.integers(x.begin, x.end - 1), st.integers(1, 255)) for x in hit))
    )
    flipped = data.draw(single | many)
    for at, other in flipped:
        whole[at] ^= other
    path.write_bytes(whole)
    # A line goes with the newline in front of it.
    harmed = {line.begin for line in lines for at, _ in flipped if line.begin - 1 <= at < line.end}
    second = [line for line in lines if line.begin > lines[3].end]
    sound = {line.name for line in second if line.name and line.begin not in harmed} | {NAMES[1]} & {
        line.name for line in lines if line.begin not in harmed
    }
    try:
        journal = Journal(path, START)
    except MglmmError as error:
        assert not sound, error
        return
    with journal:
        assert {name for name in (*NAMES, "broken.jpg") if journal.find(name)} == sound
        for name in sound - {"broken.jpg"}:
            place = journal.find(name)
            assert place is not None and journal.read(place) == cat(name)
        # Whatever is missing is known to be.
        index = journal.index
        assert index is not None
        assert len(sound) == len(NAMES) + 1 or index.damaged or index.end < len(whole)
        journal.begin()
        for at, name in enumerate(NAMES):
            if name not in sound:
                journal.append(cat(name), at=at)
        journal.finish()
    index = Index(path)
    assert sorted(map(dump, index.photographs())) == sorted(dump(to_json(cat(name))) for name in NAMES)
    index.require_whole()
    assert replace(index.info, started="", finished="") == INFO


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


def _without(path: Path, *numbers: int) -> None:
    """A byte in each of these lines is another one."""
    lines = path.read_bytes().splitlines(keepends=True)
    for number in numbers:
        lines[number - 1] = lines[number - 1].replace(b'"crc":"', b'"crc":"x', 1)
    path.write_bytes(b"".join(lines))


@pytest.mark.parametrize("hit", [(1,), (3,)])
def test_what_a_run_is_stands_there_more_than_once(path: Path, hit: tuple[int, ...]) -> None:
    write(path, cat("a.jpg"), cat("b.jpg"), Failure("c.jpg", "open", "damaged"))
    _without(path, *hit)
    index = Index(path)
    assert index.start is not None and index.start.inputs == START.inputs and index.start.folder == START.folder
    assert replace(index.info, started="") == INFO and index.info.started
    assert index.since == 3
    with Journal(path, START) as journal:
        assert journal.find("a.jpg") and journal.find("b.jpg")
    other = replace(INFO, options={**INFO.options, "granularity": "fine"})
    with pytest.raises(UsageError, match="granularity was both, is fine"):
        Journal(path, replace(START, info=other))


def test_a_later_run_whose_line_is_damaged_begins_where_it_did(path: Path) -> None:
    write(path, cat("a.jpg"), Failure("gone.jpg", "open", "damaged"))
    write(path, cat("b.jpg"), Failure("there.jpg", "open", "damaged"), finish=True)
    whole = Index(path)
    _without(path, 5)
    index = Index(path)
    assert index.damaged == [5]
    assert (index.start, index.since) == (whole.start, whole.since)
    assert [value["file_name"] for value in index.failures()] == ["there.jpg"]


def test_photographs_know_their_run_where_nothing_else_says_it(path: Path) -> None:
    write(path, cat("a.jpg"), cat("b.jpg"))
    _without(path, 1, 3)
    with pytest.raises(
        MglmmError, match=r"journal\.jsonl: no line that is whole says .*: run the command that made it"
    ):
        print(Index(path).info)
    other = replace(INFO, options={**INFO.options, "granularity": "fine"})
    with pytest.raises(UsageError, match=r"no line that is whole says.*other options.*--fresh"):
        Journal(path, replace(START, info=other))
    free = replace(INFO, tool="mglmm 2.0", options={**INFO.options, "batch_size": 1})
    write(path, cat("c.jpg"), start=replace(START, info=free), finish=True)
    assert [value["file_name"] for value in read(path)] == ["a.jpg", "c.jpg", "b.jpg"]
    assert Index(path).info.model == "nano" and not Index(path).damaged


def _older(path: Path) -> Path:
    """As versions wrote it that did not repeat what a run is."""
    lines = []
    for line in path.read_bytes().splitlines():
        value = json.loads(line)
        if "again" not in value:
            lines.append(seal(dump({key: item for key, item in value.items() if key not in ("crc", "of")})))
    path.write_bytes(b"".join(lines))
    return path


def test_an_older_journal_goes_on(path: Path) -> None:
    _older(write(path, cat("a.jpg"), cat("b.jpg")))
    assert b'"of"' not in path.read_bytes() and b'"again"' not in path.read_bytes()
    write(path, cat("c.jpg"), finish=True)
    assert [value["file_name"] for value in read(path)] == ["a.jpg", "c.jpg", "b.jpg"]
    assert replace(Index(path).info, started="", finished="") == INFO


def test_an_older_journal_that_lost_its_beginning_is_refused_by_all(path: Path) -> None:
    _older(write(path, cat("a.jpg"), cat("b.jpg")))
    _without(path, 1)
    before = path.read_bytes()
    for use in (lambda: Journal(path, START), lambda: open_index(path), lambda: Index(path).info):
        with pytest.raises(MglmmError, match="no line that is whole says what run it is of: --fresh starts over"):
            use()
    assert path.read_bytes() == before


def test_damage_that_is_known_is_told_by_its_place(path: Path) -> None:
    _long_life(path)
    lines = path.read_bytes().splitlines(keepends=True)
    # The first two lines become one, so that all others have other numbers.
    path.write_bytes(lines[0][:-1] + b" " + b"".join(lines[1:]))
    assert Index(path).damaged == [1]


UNKNOWN = [
    b'{"note":"hello"}',
    b'{"name":"new.jpg"}',
    b'{"name":"new.jpg","at":0,"content":"","stamp":"","state":"done","photo":{"segments":[]}}',
    b'{"name":"new.jpg","at":0,"content":"","stamp":"","state":"done","photo":null}',
    b'{"name":"new.jpg","at":0,"content":"","stamp":"","state":"skipped","photo":{"file_name":"new.jpg"}}',
    b'{"name":["new.jpg"],"at":0,"content":"","stamp":"","state":"done","photo":{}}',
    b'{"name":"new.jpg","at":1e99,"content":"","stamp":"","state":"done","photo":{}}',
    b'{"name":"new.jpg","at":99999999999999999999999,"content":"","stamp":"","state":"done","photo":{}}',
    b'{"name":"new.jpg","at":0,"content":7,"stamp":null,"state":"done","photo":{}}',
    b'{"name":"' + b"[" * 100_000 + b'"}',
    b'{"name":' + b"[" * 100_000 + b"}",
    b'{"run":7}',
    b'{"run":{}}',
    b'{"run":{"version":"three"}}',
    b'{"run":{"version":2,"info":[],"inputs":7,"folder":""}}',
    b'{"run":{"version":2,"info":{"tool":1},"inputs":[],"folder":""}}',
    b'{"damaged":7}',
    b'{"damaged":["a"]}',
    b'{"damaged":[1],"offsets":7}',
    b'{"finished":7}',
    b'{"finished":{"at":"noon"}}',
    b"{no JSON at all}",
    b"{" + bytes(range(11, 256)) + b"}",
    b"{}",
    b"{",
]


@pytest.mark.parametrize("line", UNKNOWN, ids=range(len(UNKNOWN)))
def test_a_whole_line_of_a_newer_version_is_named_and_stays(path: Path, line: bytes) -> None:
    before = write(path, cat("a.jpg"), cat("b.jpg")).read_bytes() + seal(line)
    path.write_bytes(before)
    index = Index(path)
    assert index.unknown == 1 and not index.damaged
    assert index.left_aside.startswith("line 5 ('") and "written by a newer version of mglmm" in index.left_aside
    index.require_whole()
    assert [value["file_name"] for value in index.photographs()] == ["a.jpg", "b.jpg"]
    assert index.start is not None and not index.finished
    write(path, cat("c.jpg"), finish=True)
    assert path.read_bytes().startswith(before)
    index = Index(path)
    assert index.unknown == 1 and index.done == 3 and index.finished


def test_a_photograph_whose_line_is_unknown_is_done_again(path: Path) -> None:
    lines = write(path, cat("a.jpg")).read_bytes().splitlines(keepends=True)
    newer = lines[1][lines[1].index(b'"name"') :].replace(b'"segcaps"', b'"answers"')
    path.write_bytes(lines[0] + seal(b"{" + newer.rstrip()))
    with Journal(path, START) as journal:
        assert not journal.find("a.jpg")
        assert journal.index is not None and journal.index.left_aside.startswith("line 2 ('name')")


@pytest.mark.parametrize(("version", "which"), [(1, "an older"), (3, "a newer")])
def test_a_run_of_another_version_is_refused_by_all(path: Path, version: int, which: str) -> None:
    before = write(path, cat("a.jpg")).read_bytes() + seal(b'{"run":{"version":%d,"cats":7}}' % version)
    path.write_bytes(before)
    for use in (lambda: Journal(path, START), lambda: open_index(path)):
        with pytest.raises(MglmmError, match=rf"line 4 \('run', version {version}\) was written by {which} version"):
            use()
    assert path.read_bytes() == before


def test_what_is_no_file_is_left_alone(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("mine")
    for make in (path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to(other), lambda: path.symlink_to(path)):
        make()
        for use in (lambda: Journal(path, START), lambda: open_index(path), lambda: Writer(path)):
            with pytest.raises(UsageError, match=r"journal\.jsonl is a (link|folder|pipe).*take it away"):
                use()
        path.rmdir() if path.is_dir() else path.unlink()
    assert other.read_text() == "mine"


def test_a_journal_that_is_taken_away_is_missed(path: Path) -> None:
    with pytest.raises(MglmmError, match="was removed while it was written"), Journal(path, START) as journal:
        journal.begin()
        path.unlink()
        journal.append(cat("a.jpg"))
        journal.sync()


def test_a_damaged_line_is_known_once_a_run_goes_on(path: Path) -> None:
    lines = write(path, cat("a.jpg"), cat("b.jpg"), cat("c.jpg")).read_bytes().splitlines(keepends=True)
    lines[3] = lines[3].replace(b"b.jpg", b"B.jpg", 1)
    path.write_bytes(b"".join(lines))
    with Journal(path, START) as journal:
        assert journal.index is not None and journal.index.damaged == [4]
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
