"""The folder of an export: whose it is, whether it may be written into, and what of an export before is gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.atomic import discard_leftovers, is_leftover, replacing, require_folder
from engine.errors import UsageError
from engine.journal import Lock, dump
from engine.json_file import parse_json, read_bytes

_MARK = ".mglmm-export"


@contextmanager
def claimed(folder: Path, name: str) -> Iterator[set[str]]:
    """Make the folder of an export, or go on with one that is there; it is marked as the format's.

    Args:
        folder: the folder.
        name: of the format.

    Yields:
        a set that gets the files which are written, relative, with `/`. Those of an export before that are not among
        them are removed at the end, if there is no error; other files stay.

    Raises:
        UsageError: if something else is there.
        MglmmError: if another process writes it.
        OSError: if it can't be written.
    """
    require_folder(folder)
    before = _files_before(folder, name)
    folder.mkdir(parents=True, exist_ok=True)
    with Lock(folder):
        discard_leftovers(folder)
        _mark(folder, name, before)
        written: set[str] = set()
        yield written
        for file in before - written:
            gone = folder / file
            gone.unlink(missing_ok=True)
            with suppress(OSError):  # others are in it
                for parent in gone.relative_to(folder).parents:
                    (folder / parent).rmdir()
        _mark(folder, name, written)


def _files_before(folder: Path, name: str) -> set[str]:
    mark = folder / _MARK
    if not mark.exists():
        if folder.exists() and not all(is_leftover(entry.name) for entry in folder.iterdir()):
            raise UsageError(f"{folder} is not empty; choose another folder with -o")
        return set()
    try:
        found = parse_json(read_bytes(mark))
        there, files = str(found["format"]), {str(file) for file in found["files"]}
    except (ValueError, TypeError, KeyError):
        raise UsageError(f"{mark} is not what mglmm export writes; choose another folder with -o") from None
    if there != name:
        raise UsageError(f"{folder} holds an export as {there}; choose another folder with -o")
    if any(file.startswith("/") or ".." in file.split("/") for file in files):
        raise UsageError(f"{mark} names files elsewhere; choose another folder with -o")
    return files


def _mark(folder: Path, name: str, files: set[str]) -> None:
    with replacing(folder / _MARK) as file:
        file.write(dump({"format": name, "files": sorted(files)}) + b"\n")
