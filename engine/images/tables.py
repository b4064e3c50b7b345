"""Lists of photographs in columns: a path, and perhaps what is asked about it.

    .csv, .tsv          the first line names the columns
    .jsonl, .ndjson     an object a line
    others              a name a line, or names separated by NUL: see `engine.images.lists`

A row may have `instruction`, a question in words, and `label`, an object's name. Rows of one photograph are its
questions.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from engine.errors import UsageError
from engine.images.inputs import is_within
from engine.images.lists import read_names
from engine.images.sources import IN_OUT, Source, Sources, name_below
from engine.json_file import parse_json, read_bytes
from engine.text.decoding import decoded, rows_of
from engine.text.prompts import Question

_COLUMNS = ("file_name", "filename", "path", "image", "image_path", "file", "photo")
"""Columns that are looked for where none is named."""
_ASKED: tuple[Literal["instruction", "label"], ...] = ("instruction", "label")
_TABLES, _LINES = (".csv", ".tsv"), (".jsonl", ".ndjson")


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of photographs.

    Attributes:
        path: of its file; `-` is stdin.
        column: that holds the paths; one of the usual ones without it.
        root: the folder that the paths are relative to; without it, of a file in columns its own, of others the working
            folder.
    """

    path: str
    column: str | None = None
    root: str | None = None


def find_listed(listing: Listing, stdin: BinaryIO | None, out: str | os.PathLike[str] | None = None) -> Sources:
    """The photographs of a list, in its order.

    A row that can't be used is told in a line, and the others are taken.

    Args:
        listing: the list.
        stdin: what `-` reads.
        out: the folder for the results, of which nothing is taken.

    Raises:
        UsageError: if the list can't be read, lacks the column or names no photograph.
    """
    path = Path(listing.path)
    ending = "" if listing.path == "-" else path.suffix.lower()
    if ending == ".json":
        raise UsageError(f"{path}: a COCO JSON is no list: give it as INPUT")
    if listing.path == "-" and stdin is None:
        raise UsageError("--list - needs a list of photographs on stdin")
    inside = None if out is None else os.path.realpath(out)
    if ending in (*_TABLES, *_LINES) or (listing.path == "-" and listing.column is not None):
        content = stdin.read() if listing.path == "-" and stdin else read_bytes(path)
        return _in_columns(listing, content, inside)
    if listing.column is not None:
        raise UsageError(f"{path}: --column is for lists in columns: {', '.join((*_TABLES, *_LINES))}")
    return Sources(_plain(listing, stdin, inside), {})


def _plain(listing: Listing, stdin: BinaryIO | None, inside: str | None) -> Iterator[Source]:
    root = listing.root or os.getcwd()
    try:
        with stdin if listing.path == "-" and stdin else open(listing.path, "rb") as file:
            for name in read_names(file):
                if not is_within(os.path.realpath(os.path.join(root, name)), inside):
                    yield _source(root, name, ())
    except OSError as error:
        raise UsageError(f"{listing.path}: can't be read ({error.strerror})") from None


def _in_columns(listing: Listing, content: bytes, inside: str | None) -> Sources:
    try:
        text = decoded(content)
    except ValueError as error:
        raise UsageError(f"{listing.path}: {error}") from None
    lines = text.lstrip().startswith("{")
    faults: list[str] = []
    asked: dict[str, dict[Question, None]] = {}
    for number, row in _objects(text, faults) if lines else _table(listing, text, faults):
        column = listing.column or next((name for name in _COLUMNS if name in row), None)
        name = None if column is None else row.get(column)
        if not isinstance(name, str) or not name.strip():
            faults.append(f"line {number} has no {column or 'path'}")
            continue
        words = {key: row.get(key) or "" for key in _ASKED}
        if wrong := [key for key, text in words.items() if not isinstance(text, str)]:
            faults.append(f"line {number}: {wrong[0]} is no text")
            continue
        questions = asked.setdefault(name.strip(), {})
        questions |= {Question(str(text).strip(), key): None for key, text in words.items() if str(text).strip()}
    if not asked:
        raise UsageError(f"{listing.path}: names no photograph" + (f": {faults[0]}" if faults else ""))
    own = os.getcwd() if listing.path == "-" else os.path.dirname(os.path.abspath(listing.path))
    root = os.path.abspath(listing.root or own)
    sources = [_source(root, name, tuple(questions)) for name, questions in asked.items()]
    kept = [source for source in sources if not is_within(os.path.realpath(source.path), inside)]
    left_out = {IN_OUT: len(sources) - len(kept)} if len(kept) < len(sources) else {}
    return Sources(iter(kept), left_out, faults=[f"{listing.path}: {fault}" for fault in faults], total=len(kept))


def _objects(text: str, faults: list[str]) -> Iterator[tuple[int, Mapping[str, object]]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            value = parse_json(line.encode())
        except ValueError as error:
            faults.append(f"line {number} is no JSON: {error}")
            continue
        if isinstance(value, dict):
            yield number, value
        else:
            faults.append(f"line {number} is no JSON object")


def _table(listing: Listing, text: str, faults: list[str]) -> Iterator[tuple[int, Mapping[str, object]]]:
    rows = rows_of(text)
    try:
        names = [name.strip() for name in rows.fieldnames or ()]
    except csv.Error as error:
        raise UsageError(f"{listing.path}: line 1: {error}") from None
    # The usual columns are known in any case of letters.
    usual = {*_COLUMNS, *_ASKED}
    names = [name.lower() if name.lower() in usual and name != listing.column else name for name in names]
    rows.fieldnames = names
    if listing.column is not None and listing.column not in names:
        raise UsageError(f"{listing.path}: has no column {listing.column!r}; there are {', '.join(names) or 'none'}")
    if listing.column is None and not any(name in names for name in _COLUMNS):
        there = ", ".join(names) or "none"
        raise UsageError(f"{listing.path}: which column holds the paths? There are {there}: say it with --column")
    try:
        for row in rows:
            if None in row:
                faults.append(f"line {rows.line_num} has more fields than the first line has names")
            else:
                yield rows.line_num, row
    except csv.Error as error:
        faults.append(f"line {rows.line_num}: {error}: is a quote not closed? What follows is not read")


def _source(root: str, name: str, questions: tuple[Question, ...]) -> Source:
    path = os.path.abspath(os.path.join(root, name))
    return Source(Path(path), name_below(root, path), os.path.join(root, name), questions=questions)
