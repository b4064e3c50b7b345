"""`mglmm report`: one line for each thing that is wrong, and a page of what there is."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest
from PIL import Image

from engine.records import Failure
from tests import program
from tests.exporters.report import made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with a run of three photographs, one of which failed."""
    made.write_journal(
        tmp_path / "out", [made.scene("a.png"), made.odd("b.png"), Failure("c.png", "decode", "cut off")]
    )
    made.write_photographs(tmp_path, 2)
    return tmp_path


def run(folder: Path, *args: str) -> tuple[int, str]:
    done = program.run_text("report", *args, cwd=folder)
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_a_page_in_the_folder_of_the_run(folder: Path) -> None:
    assert run(folder, "out") == (0, "mglmm: 3 photographs; wrote out/report/index.html\n")
    assert (folder / "out" / "report" / "index.html").is_file()
    assert run(folder, "out")[0] == 0
    # The folder is still one that a run goes on in.
    done = program.run_text("status", "out", cwd=folder)
    assert done.returncode == 0 and "done    2" in done.stdout


def test_photographs_that_have_moved(folder: Path) -> None:
    (folder / "photos").rename(folder / "moved")
    code, said = run(folder, "out", "-o", "page")
    assert code == 0
    assert said == (
        "mglmm: 2 of 3 photographs are not where they were, or others by now: their masks are shown on grey; "
        "--photos DIR says where they lie\nmglmm: 3 photographs; wrote page/index.html\n"
    )
    for number, name in enumerate(("a.png", "b.png")):
        (folder / "moved" / f"{number}.png").rename(folder / "moved" / name)
    assert run(folder, "out", "-o", "page", "--photos", "moved") == (0, "mglmm: 3 photographs; wrote page/index.html\n")


def test_an_unfinished_run_and_another_beside_it(folder: Path) -> None:
    made.write_journal(folder / "other", [made.scene("a.png", 0.3)], finished=False)
    code, said = run(folder, "out", "--with", "other", "-o", "page")
    assert code == 0
    assert said.splitlines()[0] == "mglmm: other: the run is not finished; photographs so far: 1"


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (("nowhere",), "nowhere: no such file or directory: give the output folder of mglmm segcap"),
        (("photos",), "photos holds no journal.jsonl: give the output folder of mglmm segcap"),
        (("out", "--with", "photos"), "photos holds no journal.jsonl"),
        (("out", "-o", "photos"), "photos is not empty and holds no report: choose another folder with -o"),
        (("out", "-o", "out"), "out is not empty and holds no report: choose another folder with -o"),
        (("out", "-o", "photos/0.png"), "'photos/0.png' is a file"),
        (("out", "--photos", "nowhere"), "'nowhere' does not exist"),
        (("out", "--photos", "photos/0.png"), "'photos/0.png' is a file"),
    ],
)
def test_wrong_usage_gets_one_line(folder: Path, args: tuple[str, ...], hint: str) -> None:
    code, said = run(folder, *args)
    assert code == 2
    assert said.count("\n") == 1 and said.startswith("mglmm: ")
    assert hint in said


def test_a_run_that_has_done_nothing_yet(folder: Path) -> None:
    (folder / "new").mkdir()
    (folder / "new" / "journal.jsonl").write_bytes(b'{"crc":"')
    assert run(folder, "new") == (2, "mglmm: new: no photograph is done yet\n")


def test_segcap_writes_it_at_the_end_and_again(folder: Path, tiny_folder: Path) -> None:
    args = ("segcap", "photos", "-o", "new", "--model", tiny_folder, "--max-new-tokens", "4", "--report")
    for photographs, done in ((2, "2 photographs done"), (3, "1 photographs done (2 before)")):
        ended = program.run_text(*args, cwd=folder)
        assert ended.returncode == 0, ended.stderr
        assert done.replace("1 photographs", "1 photograph") in ended.stderr
        assert ended.stderr.endswith("; wrote new/segcap.json, new/report/index.html\n")
        rows = (folder / "new" / "report" / "data" / "list-0.js").read_text(encoding="ascii")
        assert rows.count(".png") == photographs
        Image.new("RGB", (50, 40)).save(folder / "photos" / "2.png")


def test_segcap_refuses_a_report_that_can_have_no_place(folder: Path, tiny_folder: Path) -> None:
    (folder / "out" / "report").mkdir()
    (folder / "out" / "report" / "mine.txt").touch()
    ended = program.run_text("segcap", "photos", "-o", "out", "--report", "--fresh", cwd=folder)
    assert (ended.returncode, ended.stderr) == (
        2,
        "mglmm: out/report is not empty and holds no report: choose another folder with -o\n",
    )
    ended = program.run_text("segcap", "photos", "-o", "-", "--report", cwd=folder)
    assert ended.returncode == 2 and "--report needs an output folder, not -o -" in ended.stderr


def _no_room() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))


def test_no_room_for_the_page(folder: Path) -> None:
    going = program.Run(folder, ["report", "out", "-o", "page"], _no_room)
    assert going.wait() == 1
    assert going.errors == (
        "mglmm: page: the report can't be written (file too large): mend that, or choose another folder with -o\n"
    )
    assert not (folder / "page" / "index.html").exists()
    assert run(folder, "out", "-o", "page")[0] == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(folder: Path) -> None:
    (folder / "shut").mkdir(mode=0o500)
    code, said = run(folder, "out", "-o", "shut/page")
    assert code == 2 and "no permission to write into" in said
