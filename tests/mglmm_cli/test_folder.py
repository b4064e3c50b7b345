"""The output folder: held while it is used, and refused where it is not what it seems."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import MglmmError, UsageError
from engine.journal import Journal, RunInfo, Start, holder
from engine.records import Failure
from mglmm_cli.folder import check_folder, held, open_index

START = Start(RunInfo("mglmm", "tiny", "ab12"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An output folder, and beside it what nobody may touch."""
    folder = tmp_path / "out"
    folder.mkdir()
    (tmp_path / "mine").write_text("mine")
    with Journal(folder / "journal.jsonl", START) as journal:
        journal.begin()
        journal.append(Failure("a.jpg", "open", "the file is empty"))
    return folder


def _exchanged(name: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
    def change(out: Path) -> None:
        (out / name).unlink(missing_ok=True)
        make(out / name)

    return change


NAMES = (".lock", "journal.jsonl", "segcap.json", "failures.jsonl")
HOSTILE = {
    **{f"{name}: a link": _exchanged(name, lambda path: path.symlink_to("../mine")) for name in NAMES},
    **{f"{name}: a pipe": _exchanged(name, os.mkfifo) for name in NAMES},
    **{f"{name}: a folder": _exchanged(name, Path.mkdir) for name in NAMES},
    ".lock: a second name": _exchanged(".lock", lambda path: path.hardlink_to(path.parent.parent / "mine")),
    ".lock: somebody's": _exchanged(".lock", lambda path: path.write_text("mine")),
    ".lock: long": _exchanged(".lock", lambda path: path.write_text("1" * 100)),
    "journal.jsonl: a device": _exchanged("journal.jsonl", lambda path: path.symlink_to("/dev/zero")),
    "overlays: a link": _exchanged("overlays", lambda path: path.symlink_to("..")),
    "overlays: a file": _exchanged("overlays", Path.touch),
    "overlays: a pipe": _exchanged("overlays", os.mkfifo),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_folder_is_refused_untouched(out: Path, kind: str) -> None:
    HOSTILE[kind](out)
    before = sorted((path.name, path.lstat().st_mode, path.lstat().st_size) for path in out.iterdir())
    with pytest.raises(UsageError, match="take it away, or choose another folder") as refused:
        check_folder(out)
        with held(out):
            pass
    assert str(refused.value).startswith(str(out / kind.partition(":")[0]))
    assert "\n" not in str(refused.value)
    assert sorted((path.name, path.lstat().st_mode, path.lstat().st_size) for path in out.iterdir()) == before
    assert (out.parent / "mine").read_text() == "mine"
    # To ask who has it neither waits nor changes anything.
    assert holder(out) is None


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("loop", "too many levels of symbolic links"),
        ("loop/out", "too many levels of symbolic links"),
        ("nowhere", "is a link to nowhere"),
        ("mine", "is not a folder"),
        ("mine/out", "not a directory"),
        ("x" * 300, "file name too long"),
        ("x/" * 3000, "file name too long"),
        (".", "is not empty"),
    ],
)
def test_what_can_be_no_output_folder_is_refused(
    out: Path, path: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(out.parent)
    Path("loop").symlink_to("loop")
    Path("nowhere").symlink_to("gone")
    with pytest.raises(UsageError, match=said):
        check_folder(Path(path))
    assert not Path("gone").exists()


def test_a_folder_that_was_made_for_nothing_goes_again(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    out = tmp_path / "there" / "deep" / "out"
    with pytest.raises(ZeroDivisionError), held(out):
        assert holder(out) == str(os.getpid())
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["there"] and not any((tmp_path / "there").iterdir())
    with held(out):
        (out / "journal.jsonl").touch()
    assert [path.name for path in out.iterdir()] == ["journal.jsonl"]


def test_a_folder_is_held_once(tmp_path: Path) -> None:
    with held(tmp_path / "out"), pytest.raises(MglmmError, match="is in use by process"), held(tmp_path / "out"):
        pass


def test_a_journal_is_held_by_who_holds_its_folder(tmp_path: Path) -> None:
    with held(tmp_path) as lock:
        with Journal(tmp_path / "journal.jsonl", START, lock=lock) as journal:
            journal.begin()
        assert holder(tmp_path) == str(os.getpid())
    assert holder(tmp_path) is None


def test_no_journal_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no journal\.jsonl"):
        open_index(tmp_path)
    (tmp_path / "journal.jsonl").write_bytes(b'{"crc":"0')
    assert open_index(tmp_path) is None
