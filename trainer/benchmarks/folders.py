"""Which photographs a benchmark runs over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from engine.errors import MglmmError, UsageError
from engine.images.sources import Source
from engine.pipeline import Pipeline
from engine.records import Failure, PhotoRecord
from trainer.data.folders import Folder, Item, camvid, ccp, coco

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


def answer_all(pipeline: Pipeline, items: Iterable[Item]) -> Iterator[PhotoRecord]:
    """The answers about photographs, in order.

    Raises:
        MglmmError: if one can't be answered: a score without it would be of another set.
    """
    for _, outcome in pipeline.run(Source(item.image, item.name) for item in items):
        if isinstance(outcome, Failure):
            raise MglmmError(f"{outcome.file_name}: {outcome.stage}: {outcome.reason}")
        yield outcome
