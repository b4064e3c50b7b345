"""The folder of an export: whose it is, and whether it may be written into."""

from __future__ import annotations

from pathlib import Path

from engine.atomic import discard_leftovers, replacing, require_folder
from engine.errors import UsageError
from engine.journal import dump
from engine.json_file import parse_json, read_bytes

_MARK = ".mglmm-export.json"


def claim(folder: Path, name: str) -> None:
    """Make the folder of an export, or go on with one that is there; it is marked as the format's.

    Raises:
        UsageError: if something else is there.
        OSError: if it can't be written.
    """
    require_folder(folder)
    mark = folder / _MARK
    if mark.exists():
        try:
            found = parse_json(read_bytes(mark))
            there = found["format"]
        except (ValueError, TypeError, KeyError):
            raise UsageError(f"{mark} is not what mglmm export writes; choose another folder with -o") from None
        if there != name:
            raise UsageError(f"{folder} holds an export as {there}; choose another folder with -o")
        discard_leftovers(folder)
    elif folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty; choose another folder with -o")
    with replacing(mark) as file:
        file.write(dump({"format": name}) + b"\n")
