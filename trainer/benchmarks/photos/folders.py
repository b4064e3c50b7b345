"""Which photographs a benchmark runs over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engine.errors import UsageError
from trainer.data.folders import Folder
from trainer.data.sets import SPLIT


def open_split(data: Path, dataset: str, split: str, limit: int | None) -> Folder:
    """The photographs of a split, at most `limit` of them.

    Raises:
        UsageError: if the set is unknown or its files are missing.
    """
    readers = {str(name): read for name, read in SPLIT.items()}
    if dataset not in readers:
        raise UsageError(f"no set {dataset!r}; known: {', '.join(readers)}")
    folder = readers[dataset](data, split)
    return replace(folder, items=folder.items[:limit])
