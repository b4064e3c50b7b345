"""Which photographs the page shows, and what each run said of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.images.sources import inside
from engine.journal import Index, from_json
from engine.records import Failure, PhotoRecord
from engine.text.names import from_text


@dataclass(frozen=True, slots=True)
class Entry:
    """A photograph of the page.

    Attributes:
        name: as the outputs call it.
        photograph: where its file should lie; None where nobody knows.
        outcomes: what each run said of it; None where one has nothing about it.
        number: of the photograph in the first run, of which ids in `segcap.json` are made; None where it has none.
        note: a line about it, such as a score.
    """

    name: str
    photograph: Path | None
    outcomes: tuple[PhotoRecord | Failure | None, ...]
    number: int | None = None
    note: str = ""


def entries_of(runs: Sequence[Index], photos: Path | None = None) -> Iterator[Entry]:
    """The photographs of several runs: all of the first, what failed there behind them, then those only others have.

    Args:
        runs: journals.
        photos: the folder in which the photographs lie by their names; where the runs found them without one.
    """
    first, *others = runs
    for number, value in _numbered(first):
        name = value["file_name"]
        outcomes = (from_json(value), *(_found(other, name) for other in others))
        yield Entry(name, _place(value, first, photos), outcomes, number)
    for at, other in enumerate(others):
        before, later = (first, *others[:at]), others[at + 1 :]
        for _, value in _numbered(other):
            name = value["file_name"]
            if not any(one.find(name) for one in before):
                outcomes = (*[None] * len(before), from_json(value), *(_found(one, name) for one in later))
                yield Entry(name, _place(value, other, photos), outcomes)


def _numbered(index: Index) -> Iterator[tuple[int | None, dict[str, Any]]]:
    for entry in index.entries():
        yield entry.number, entry.form
    for form in index.failures():
        yield None, form


def _found(index: Index, name: str) -> PhotoRecord | Failure | None:
    place = index.find(name)
    return from_json(index.value(place)) if place else None


def _place(value: dict[str, Any], index: Index, photos: Path | None) -> Path | None:
    if photos is not None:
        return inside(photos, from_text(value["file_name"]))
    path = value.get("path")
    if not isinstance(path, str) or "\0" in path:
        return None
    return Path(os.path.join(index.start.folder if index.start else "", from_text(path)))
