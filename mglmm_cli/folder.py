"""The output folder of `mglmm segcap`: what lies in it, and whether a folder is one."""

from __future__ import annotations

from pathlib import Path

from engine.errors import UsageError
from engine.journal import LOCK, Index

JOURNAL, COCO, FAILURES = "journal.jsonl", "segcap.json", "failures.jsonl"


def check_folder(path: Path) -> Path:
    """Check that `path` can become the output folder, or is one, without making it.

    Raises:
        UsageError: if it is something else.
    """
    if path.is_dir():
        if not (path / JOURNAL).exists() and any(entry.name != LOCK for entry in path.iterdir()):
            raise UsageError(f"{path} is not empty; choose another output folder with -o")
    elif path.exists() or path.is_symlink():
        raise UsageError(f"{path} is not a folder; choose an output folder with -o")
    return path


def open_index(folder: Path) -> Index:
    """What an output folder's journal holds.

    Raises:
        UsageError: if there is none.
        MglmmError: if it can't be read.
    """
    try:
        return Index(folder / JOURNAL)
    except FileNotFoundError:
        raise UsageError(f"{folder} holds no {JOURNAL}: give the output folder of mglmm segcap") from None
