"""The output folder of `mglmm segcap`: what lies in it, and whether a folder is one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISDIR

from engine.errors import UsageError
from engine.journal import LOCK, Index, Lock, require_regular
from engine.journal import open_index as _open_index

JOURNAL, COCO, FAILURES, OVERLAYS = "journal.jsonl", "segcap.json", "failures.jsonl", "overlays"
REPORT = "report"
MOVED = "moved.jsonl"

_GIVE = "give the output folder of mglmm segcap"


def check_folder(path: Path) -> Path:
    """Check that `path` can become the output folder, or is one, without making it.

    Raises:
        UsageError: if it is something else, or something in it is not what its name says.
    """
    try:
        kind = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise UsageError(f"{path} is a link to nowhere; choose an output folder with -o") from None
        return path
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{path}: {reason.lower()}; choose an output folder with -o") from error
    if not S_ISDIR(kind):
        raise UsageError(f"{path} is not a folder; choose an output folder with -o")
    if not (path / JOURNAL).exists() and any(entry.name != LOCK for entry in path.iterdir()):
        raise UsageError(f"{path} is not empty; choose another output folder with -o")
    for name in (LOCK, JOURNAL, COCO, FAILURES):
        require_regular(path / name)
    # What is drawn would land, and what is drawn anew be removed, where a link leads to.
    overlays = path / OVERLAYS
    if overlays.is_symlink() or (overlays.exists() and not overlays.is_dir()):
        what = "a link" if overlays.is_symlink() else "something else"
        raise UsageError(f"{overlays} is {what}, not a folder: take it away, or choose another folder")
    return path


def say_outputs(folder: Path, *, overlays: bool = False, report: bool = False) -> str:
    """The paths of what lies in an output folder beside its journal, as its last run made it."""
    names = [COCO] + [FAILURES] * (folder / FAILURES).exists() + [f"{OVERLAYS}{os.sep}"] * overlays
    names += [os.path.join(REPORT, "index.html")] * report
    return ", ".join(os.path.join(folder, name) for name in names)


@contextmanager
def held(path: Path) -> Iterator[Lock]:
    """Hold an output folder, which is made if it is not there; what was made goes again if nothing came into it.

    Raises:
        UsageError, MglmmError: see `Lock`.
        OSError: if it can't be made.
    """
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        with Lock(path) as lock:
            yield lock
    finally:
        with suppress(OSError):
            for folder in made:
                folder.rmdir()


def open_index(folder: Path) -> Index | None:
    """What an output folder's journal holds; None if it holds no photograph yet.

    Raises:
        UsageError: if there is none, or no such folder.
        MglmmError: if it can't be read, or no run can go on with it.
    """
    try:
        if not S_ISDIR(folder.stat().st_mode):
            raise UsageError(f"{folder} is not a folder: {_GIVE}")
    except OSError as error:
        raise UsageError(f"{folder}: {(error.strerror or str(error)).lower()}: {_GIVE}") from error
    try:
        return _open_index(folder / JOURNAL)
    except FileNotFoundError:
        raise UsageError(f"{folder} holds no {JOURNAL}: {_GIVE}") from None
