"""The search through the folders of an input: which files are photographs, and what is passed over.

A file that is called like a photograph is one, to be refused where photographs are opened if it is not. Any other is
one if its first bytes say so; only files whose names say what else they are, a film or a text, are not looked into.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engine.errors import UsageError
from engine.images.formats.kinds import (
    HEAD,
    ending,
    format_of,
    has_suffix,
    is_photograph,
    may_hold_photograph,
    next_step,
    other_kind,
)
from engine.images.inputs import Input, is_hidden, is_within, visible_above

PassedOver = Callable[[str, str], None]
"""Is told the name below the top of a file that is no photograph, and what kind it is of."""

_LISTS = frozenset(("csv", "tsv", "jsonl", "ndjson"))
_SPECIAL, _NO_ENDING, _OTHER = "special file", "without ending", "of another ending"


def takes(path: str) -> bool:
    """Whether the search takes a file for a photograph."""
    name = os.path.basename(path)
    if has_suffix(name):
        # A link that leads nowhere is a photograph that somebody misses, and must be reported as one.
        return os.path.isfile(path) or not os.path.exists(path)
    return os.path.isfile(path) and may_hold_photograph(name) and is_photograph(name, _head(path))


def other_thing(path: str) -> str:
    """What a named file is that holds no photograph of its own, and what to do; empty if it may be one."""
    head = _head(path) if os.path.isfile(path) else b""
    if not head or format_of(head) is not None:
        return ""
    if ending(path) in _LISTS:
        return "a list, no photograph: give it with --list"
    kind = other_kind(head)
    step = next_step(kind) if kind else ""
    return f"a file of another kind ({kind}): {step}" if step else ""


def search(entry: Input, out: str | None, passed_over: PassedOver = lambda name, kind: None) -> Iterator[str]:
    """Names below `entry.top` of the photographs that it takes, sorted within each folder.

    Args:
        entry: what is searched.
        out: a folder that nothing is taken from, resolved.
        passed_over: is told of each file that is no photograph.
    """
    begin = entry.begin()
    # What is looked for everywhere below these folders; a link into one of them that looks for no more is idle.
    walked = {entry.real: entry.lasting(begin)}
    try:
        levels = [_Level("", entry.real, begin, _list(entry.top))]
    except OSError as error:
        raise UsageError(f"{entry.top}: can't list this folder: {error.strerror}") from error
    while levels:
        level = levels[-1]
        found = next(level.entries, None)
        if found is None:
            levels.pop()
            continue
        state = entry.advance(level.state, found.name)
        below = os.path.join(level.below, found.name)
        if not state:
            continue
        if not _is_folder(found):
            from_out = out is not None and found.is_symlink() and is_within(os.path.realpath(found.path), out)
            if entry.accepts(state) and not from_out:
                kind = _kind_if_none(found)
                if kind is None:
                    yield below
                elif kind:
                    passed_over(below, kind)
            continue
        if found.is_symlink():
            real = os.path.realpath(found.path)
            upward = os.path.join(level.real, "").startswith(os.path.join(real, ""))
            if upward or any(state <= walked.get(above, frozenset()) for above in visible_above(real)):
                continue
            walked[real] = entry.lasting(state)
        else:
            real = os.path.join(level.real, found.name)
            if state <= walked.get(real, frozenset()):
                continue
        if is_within(real, out):
            continue
        try:
            levels.append(_Level(below, real, state, _list(found.path)))
        except OSError:  # to be said where photographs are opened
            yield below


@dataclass(frozen=True, slots=True)
class _Level:
    """A folder on the way down: its name below the top, its real path, and the entries yet to visit."""

    below: str
    real: str
    state: frozenset[int]
    entries: Iterator[os.DirEntry[str]]


def _list(folder: str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        visible = [entry for entry in entries if not is_hidden(entry.name)]
    return iter(sorted(visible, key=lambda entry: entry.name))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _kind_if_none(entry: os.DirEntry[str]) -> str | None:
    """What kind of file this is if it is no photograph; None for one, empty if nothing needs to be said."""
    file = _is_file(entry)
    if (file and has_suffix(entry.name)) or takes(entry.path):
        return None
    if has_suffix(entry.name):
        return _SPECIAL
    if not file:
        return ""
    return ending(entry.name) or (_OTHER if "." in entry.name else _NO_ENDING)


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to itself
        return False


def _head(path: str) -> bytes:
    """The first bytes of a regular file, none if it can't be read."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(HEAD)
    except (OSError, ValueError):
        return b""
