"""Journals that become one: what stays, what moves, and that it is said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from engine.errors import UsageError
from engine.journal import LARGEST, Fingerprint, Index, Joining, Journal, Run, RunInfo, Start
from engine.records import Failure, PhotoRecord

INFO = RunInfo("mglmm 1.0", "nano", "ab12" * 16, {"granularity": "both", "batch_size": 4})
LICENCE = {"id": 1, "name": "CC BY"}


class Runs:
    """Runs in folders of their own, and what is made of them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self._stack = folder, stack
        self.notes: list[Mapping[str, Any]] = []
        self.runs: list[Run] = []

    def add(self, *photographs: tuple[str, str | None], info: RunInfo = INFO, **about: Any) -> None:
        """A run over names and contents; one without a content failed."""
        path = self.folder / f"{len(self.runs)}.jsonl"
        images = about.pop("images", {})
        with Journal(path, Start(info, ("photos",), "/data", **about)) as journal:
            journal.begin()
            for at, (name, content) in enumerate(photographs):
                entry = PhotoRecord(name, 3, 2) if content else Failure(name, "open", "no such file")
                held = Fingerprint(content or "", "")
                journal.append(entry, at=at, held=held, path=f"photos/{name}", image=images.get(name))
            journal.finish()
        index = Index(path)
        self._stack.callback(index.close)
        self.runs.append(Run(index, f"out{len(self.runs)}", f"run{len(self.runs)}"))

    def join(self) -> Index:
        self.joining = Joining(self.runs, self.notes.append)
        path = self.folder / "joined.jsonl"
        with path.open("wb") as file:
            self.joining.write(file)
        index = Index(path)
        self._stack.callback(index.close)
        index.require_whole()
        return index


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    with ExitStack() as stack:
        yield Runs(tmp_path, stack)


def numbers(index: Index) -> dict[str, int]:
    return {entry.form["file_name"]: entry.number for entry in index.entries()}


def test_ids_that_do_not_collide_stay(runs: Runs) -> None:
    runs.add(("a.jpg", "1"), ("b.jpg", "2"), images={"a.jpg": {"id": 70}, "b.jpg": {"id": 7}})
    runs.add(("c.jpg", "3"), ("d.jpg", "4"), images={"c.jpg": {"id": 8}, "d.jpg": {"id": LARGEST + 5}})
    index = runs.join()
    assert numbers(index) == {"a.jpg": 70, "b.jpg": 7, "c.jpg": 8, "d.jpg": 9}
    assert [entry.form["image"]["id"] for entry in index.entries()] == [70, 7, 8, LARGEST + 5]
    assert not runs.notes and (runs.joining.moved, runs.joining.repeated) == (0, 0)
    assert index.info.finished and index.info.identity == INFO.identity


def test_those_that_do_are_given_anew_and_said(runs: Runs) -> None:
    runs.add(("a.jpg", "1"), ("b.jpg", "2"))
    runs.add(("c.jpg", "3"), ("d.jpg", "4"), ("e.jpg", "5"))
    assert numbers(runs.join()) == {"a.jpg": 1, "b.jpg": 2, "c.jpg": 4, "d.jpg": 5, "e.jpg": 3}
    assert runs.notes == [
        {"run": "out1", "file_name": name, "id": old, "new_id": new, "number": old, "new_number": new}
        for name, old, new in (("c.jpg", 1, 4), ("d.jpg", 2, 5))
    ]


def test_a_photograph_that_several_have_is_taken_once(runs: Runs) -> None:
    runs.add(("a.jpg", "1"), ("b.jpg", None), ("c.jpg", None))
    runs.add(("a.jpg", "1"), ("b.jpg", "2"), ("c.jpg", None))
    index = runs.join()
    assert numbers(index) == {"a.jpg": 1, "b.jpg": 2}
    assert [form["file_name"] for form in index.failures()] == ["c.jpg"]
    assert runs.joining.repeated == 1 and not runs.notes


def test_one_name_of_several_photographs_gets_the_folder_in_front(runs: Runs) -> None:
    runs.add(("a.jpg", "1"), ("run1/a.jpg", "9"))
    runs.add(("a.jpg", "2"))
    runs.add(("a.jpg", "3"), ("c.jpg", "4"))
    runs.add(("a.jpg", "2"))
    assert numbers(runs.join()) == {"a.jpg": 1, "run1/a.jpg": 2, "run1-2/a.jpg": 3, "run2/a.jpg": 4, "c.jpg": 5}
    assert [note.get("new_file_name") for note in runs.notes] == ["run1-2/a.jpg", "run2/a.jpg", None]


def test_paths_lead_to_the_files_wherever_the_runs_were_made(runs: Runs) -> None:
    runs.add(("a.jpg", "1"))
    runs.add(("b.jpg", "2"))
    assert [entry.form["path"] for entry in runs.join().entries()] == ["/data/photos/a.jpg", "/data/photos/b.jpg"]


def test_licences(runs: Runs) -> None:
    runs.add(("a.jpg", "1"), images={"a.jpg": {"id": 1, "license": 1}}, licenses=(LICENCE, {"id": 2}))
    other = {"id": 1, "name": "CC0"}
    runs.add(("b.jpg", "2"), images={"b.jpg": {"id": 2, "license": 1}}, licenses=(other, {"id": 2}))
    index = runs.join()
    assert index.licenses == [LICENCE, {"id": 2}, {"id": 3, "name": "CC0"}]
    assert [entry.form["image"]["license"] for entry in index.entries()] == [1, 3]
    assert runs.notes == [{"run": "out1", "license": 1, "new_license": 3}]


def test_text_ids_that_collide_stay_text(runs: Runs) -> None:
    runs.add(("a.jpg", "1"), images={"a.jpg": {"id": "x"}})
    runs.add(("b.jpg", "2"), images={"b.jpg": {"id": "x"}})
    assert [entry.form["image"]["id"] for entry in runs.join().entries()] == ["x", "x-2"]


def test_ids_of_two_types_are_refused(runs: Runs) -> None:
    runs.add(("a.jpg", "1"), images={"a.jpg": {"id": "x"}})
    runs.add(("b.jpg", "2"))
    with pytest.raises(UsageError, match="out1 has ids that are numbers, out0 ids that are text"):
        runs.join()


@pytest.mark.parametrize(
    ("info", "why"),
    [
        (RunInfo("mglmm 1.0", "nano", "cd34" * 16, INFO.options), "model was nano"),
        (RunInfo("mglmm 1.0", "nano", INFO.model_hash, {"granularity": "fine"}), "granularity was both, is fine"),
    ],
)
def test_another_model_or_other_options_are_refused(runs: Runs, info: RunInfo, why: str) -> None:
    runs.add(("a.jpg", "1"))
    runs.add(("b.jpg", "2"), info=info)
    with pytest.raises(UsageError, match=why):
        runs.join()


def test_what_changes_no_answer_may_differ(runs: Runs) -> None:
    runs.add(("a.jpg", "1"))
    runs.add(
        ("b.jpg", "2"), info=RunInfo("mglmm 2.0", "nano", INFO.model_hash, {"granularity": "both", "batch_size": 8})
    )
    assert len(numbers(runs.join())) == 2
