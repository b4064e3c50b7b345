"""What `mglmm status` says is what `mglmm segcap` and `mglmm rebuild` do: all read a journal through one function."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from engine.journal import Journal, RunInfo, Start, fingerprint, stamp
from engine.journal.lines import seal
from engine.model.checkpoint import identify
from engine.pipeline.pipeline import Options
from engine.records import PhotoRecord, SegCap
from engine.text.grammar import parse
from mglmm_cli.folder import held
from mglmm_cli.main import _run

NAMES = ("a.png", "b.png", "c.png")


@pytest.fixture
def folder(tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with three photographs of which two are done, as the journal of `out` says."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for number, name in enumerate(NAMES):
        Image.new("RGB", (40 + number, 30), (90, 60, 30)).save(tmp_path / "photos" / name)
    (tmp_path / "model").symlink_to(tiny_folder)
    found = identify("model")
    options = {**Options(granularity="panoptic", max_new_tokens=2).to_json(), "precision": "float32"}
    (tmp_path / "out").mkdir()
    start = Start(RunInfo("mglmm", found.name, found.sha256, options), ("photos",), os.getcwd())
    with Journal(tmp_path / "out" / "journal.jsonl", start) as journal:
        journal.begin()
        for at, name in enumerate(NAMES[:2]):
            record = PhotoRecord(name, 40 + at, 30, (SegCap("panoptic", "Describe.", parse("A cat."), ()),))
            photograph = f"photos/{name}"
            journal.append(record, at=at, held=fingerprint(photograph, stamp(photograph)))
    return tmp_path


Run = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(args: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = _run(args.split())
        return code, *capsys.readouterr()

    return run


SEGCAP = "segcap photos -o out --model model --granularity panoptic --max-new-tokens 2"


def _change(folder: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    path = folder / "out" / "journal.jsonl"
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))


def _fields(said: str) -> dict[str, str]:
    return dict(line.split(maxsplit=1) for line in said.splitlines())


def test_one_flipped_byte_in_the_first_line_costs_nothing(folder: Path, run: Run) -> None:
    _change(folder, lambda lines: [lines[0].replace(b'"run"', b'"ruN"'), *lines[1:]])
    code, said, _ = run("status out")
    fields = _fields(said)
    assert code == 0
    assert (fields["state"], fields["done"], fields["left"]) == ("stopped; the same command goes on", "2", "1")
    assert fields["damaged"] == "1 lines of the journal, the first is 1"
    code, _, said = run("rebuild out")
    assert code == 1 and said.count("\n") == 1 and "line 1 is damaged: run the command that made it again" in said
    code, _, said = run(SEGCAP)
    assert code == 0
    assert "line 1 is damaged: photographs of such lines are done again" in said
    assert "1 photograph done (2 before)" in said
    assert len(json.loads((folder / "out" / "segcap.json").read_bytes())["images"]) == 3
    code, said, _ = run("status out")
    assert code == 0 and "damaged" not in said and _fields(said)["left"] == "0"
    assert run("rebuild out")[0] == 0


def test_where_no_line_says_what_the_run_is_its_photographs_do(folder: Path, run: Run) -> None:
    _change(folder, lambda lines: [line.replace(b'"run"', b'"ruN"') for line in lines])
    code, said, _ = run("status out")
    fields = _fields(said)
    assert code == 0 and (fields["state"], fields["done"]) == ("stopped; the same command goes on", "2")
    assert fields["left"] == "unknown, the lines that say what run it is are damaged"
    code, _, said = run(SEGCAP.replace("panoptic", "fine"))
    assert code == 2 and said.count("\n") == 1 and "another model or other options" in said
    code, _, said = run(SEGCAP)
    assert code == 0 and "1 photograph done (2 before)" in said


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            lambda lines: [lines[0].replace(b'"run"', b'"ruN"')],
            "out/journal.jsonl: no line that is whole says what run it is of: --fresh starts over",
        ),
        (
            lambda lines: [*lines, seal(b'{"run":{"version":3}}')],
            "out/journal.jsonl: line 5 ('run', version 3) was written by a newer version of mglmm: "
            "go on with that one, or start over with --fresh",
        ),
        (
            lambda lines: [b"notes of mine\n"],
            "out/journal.jsonl: no line that is whole says what run it is of: --fresh starts over",
        ),
    ],
    ids=["lost", "newer", "none"],
)
def test_what_one_refuses_all_refuse(
    change: Callable[[list[bytes]], list[bytes]], line: str, folder: Path, run: Run
) -> None:
    _change(folder, change)
    before = (folder / "out" / "journal.jsonl").read_bytes()
    for command in ("status out", "rebuild out", SEGCAP):
        assert run(command) == (1, "", f"mglmm: {line}\n")
    assert (folder / "out" / "journal.jsonl").read_bytes() == before
    assert [path.name for path in (folder / "out").iterdir()] == ["journal.jsonl"]


def test_lines_of_a_newer_version_are_named_by_all(folder: Path, run: Run) -> None:
    _change(folder, lambda lines: [*lines, seal(b'{"note":"hello"}'), seal(b'{"name":"c.png","boxes":[]}')])
    before = (folder / "out" / "journal.jsonl").read_bytes()
    words = "line 5 ('note') and 1 more were written by a newer version of mglmm: they stay there, and are left out"
    code, said, _ = run("status out")
    assert code == 0 and words in _fields(said)["unknown"]
    for command in ("rebuild out", SEGCAP):
        code, _, said = run(command)
        assert code == 0 and f"mglmm: out/journal.jsonl: {words}" in said
    assert (folder / "out" / "journal.jsonl").read_bytes().startswith(before)
    assert len(json.loads((folder / "out" / "segcap.json").read_bytes())["images"]) == 3


def test_it_says_where_the_reasons_of_failures_are(folder: Path, run: Run) -> None:
    assert "reasons" not in _fields(run("status out")[1])
    (folder / "photos" / "c.png").write_bytes(b"")
    assert run(SEGCAP)[0] == 3
    fields = _fields(run("status out")[1])
    assert (fields["failed"], fields["reasons"]) == ("1", "out/failures.jsonl")
    (folder / "out" / "failures.jsonl").unlink()
    assert _fields(run("status out")[1])["reasons"] == "mglmm rebuild out writes out/failures.jsonl"
    assert run("rebuild out") == (0, "", "mglmm: 2 photographs, 1 failed; wrote out/segcap.json, out/failures.jsonl\n")
    assert _fields(run("status out")[1])["reasons"] == "out/failures.jsonl"


def test_a_run_in_which_all_fails_says_what_it_wrote(folder: Path, run: Run) -> None:
    (folder / "bad").mkdir()
    (folder / "bad" / "a.png").touch()
    (folder / "bad" / "notes.txt").touch()
    code, said, notes = run("segcap bad -o new --model model")
    left = "1 file left out: 1 txt"
    wrote = "wrote new/segcap.json, new/failures.jsonl"
    assert (code, said) == (3, "")
    assert notes.endswith(f"mglmm: no photograph could be done, 1 failed; {left}; {wrote}\n")
    code, said, notes = run("segcap bad -o - --model model")
    assert code == 3 and notes.endswith(f"mglmm: no photograph could be done, 1 failed; {left}\n")


def test_a_finished_run_is_as_fast_in_a_copy(folder: Path, run: Run) -> None:
    assert run(SEGCAP)[0] == 0
    speed = _fields(run("status out")[1])["speed"]
    os.utime(folder / "out" / "journal.jsonl", (2e9, 2e9))
    assert speed.endswith(" photographs per second") and _fields(run("status out")[1])["speed"] == speed


def test_a_run_that_is_loading_is_starting(folder: Path, run: Run) -> None:
    with held(folder / "new" / "out"):
        code, said, _ = run("status new/out")
        assert code == 0
        assert _fields(said) == {
            "state": f"starting, process {os.getpid()}",
            "done": "0",
            "failed": "0",
            "left": "unknown",
            "speed": "unknown",
        }
    assert run("status new/out")[0] == 2


def test_a_run_that_was_cut_off_at_its_first_line_goes_on(folder: Path, run: Run) -> None:
    _change(folder, lambda lines: [lines[0][:20]])
    code, said, _ = run("status out")
    assert code == 0 and _fields(said)["state"] == "stopped; the same command goes on"
    code, _, said = run("rebuild out")
    assert (code, said) == (1, "mglmm: out: no photograph is done yet\n")
    assert run(SEGCAP)[0] == 0


def test_a_folder_is_there_before_the_model_is_and_goes_with_a_wrong_one(folder: Path, run: Run) -> None:
    code, _, said = run("segcap photos -o new/out --model nowhere")
    assert code == 2 and "no model 'nowhere'" in said
    assert not (folder / "new").exists()
