"""Folders that change from one whole state to the next, also if the program is killed on the way."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from engine.atomic import sync


def replace_folder(path: Path, write: Callable[[Path], None]) -> None:
    """Write a folder beside its place, and move it there once it is on disk.

    A folder can't take the place of another in one move: for a moment both stand beside it, whole. `recover` puts the
    older one back if that moment was the last.

    Args:
        path: the folder.
        write: fills the empty folder that it gets.
    """
    recover(path)
    part, old = _beside(path, "part"), _beside(path, "old")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    write(part)
    for file in (*part.rglob("*"), part):
        sync(file)
    if path.exists():
        os.rename(path, old)
    os.rename(part, path)
    sync(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def recover(path: Path) -> None:
    """Bring a folder into its place that a killed `replace_folder` had moved aside."""
    old = _beside(path, "old")
    if not old.is_dir():
        return
    if path.exists():
        shutil.rmtree(old)
    else:
        os.rename(old, path)


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f".{path.name}.{what}")
