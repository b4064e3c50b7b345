"""Which photographs a benchmark runs over."""

from __future__ import annotations

from pathlib import Path

from engine.errors import UsageError
from trainer.data.folders import Folder, camvid, ccp, coco

_READERS = {"ccp": ccp, "camvid": camvid, "coco": coco}


def open_split(data: Path, dataset: str, split: str, limit: int | None) -> Folder:
    """The photographs of a split, at most `limit` of them.

    Raises:
        UsageError: if the set is unknown or its files are missing.
    """
    if dataset not in _READERS:
        raise UsageError(f"no set {dataset!r}; known: {', '.join(_READERS)}")
    folder = _READERS[dataset](data, split)
    return Folder(folder.kind, folder.items[:limit], folder.classes)
