"""Which photographs to take: files, folders, glob patterns and a list on stdin become a lazy stream.

Nothing is kept per photograph: at any time the names of one folder, of the folders above it, and what was
written on the command line are in memory.

The very same file reached through two overlapping inputs comes once, from the first of them. Names are
compared: a file that is linked, or that a list on stdin names twice, comes twice.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import translate
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from engine.errors import PhotographError, UsageError

if TYPE_CHECKING:
    import numpy as np

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
"""What counts as a photograph in a folder or behind a pattern, in any case of letters."""

STDIN = "-"
_MAGIC = re.compile(r"[*?\[]")
_CHUNK = 1 << 16
_LONGEST = 1 << 16
"""Bytes of a name in a list; no system has longer ones."""


@dataclass(frozen=True, slots=True)
class Source:
    """A photograph to read.

    Attributes:
        path: where it lies.
        file_name: its name in every output: relative to the input root, with `/`.
        given: the path as the user gave it: on a list to the letter, below a folder behind the folder's own.
    """

    path: Path
    file_name: str
    given: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class InMemory:
    """A photograph that a program has in memory.

    Attributes:
        file_name: what it is called in every output.
        pixels: uint8 `(H, W, 3)`, upright RGB, or why there are none.
    """

    file_name: str
    pixels: np.ndarray | PhotographError


def find_sources(inputs: Sequence[str], stdin: BinaryIO | None) -> Iterator[Source]:
    """Find photographs, lazily, in the order of the inputs and sorted within each folder.

    Folders are walked to the bottom; hidden names are skipped; a link to a folder is followed once, and not
    when it leads to what is walked anyway. A folder on the way that can't be listed comes as if it were a photograph,
    so that it fails as one and is not forgotten. A pattern (`*`, `?`, `[...]`, `**`) that matches a folder stands
    for the folder. A file that is named is taken whatever its extension.

    `file_name` is relative to the folder, or with several inputs to the folder that holds all of them. With
    `-` (names on stdin, newline- or NUL-separated) it is relative to the working directory, or, for a file
    elsewhere, the absolute path without its first `/`.

    Args:
        inputs: files, folders, patterns, `-`.
        stdin: what `-` reads; not touched without one.

    Raises:
        UsageError: at once, if an input does not exist, can't be listed, matches nothing or holds no photograph;
            later, if what comes on stdin is empty or no list.
    """
    plan = _Plan(inputs, stdin)
    plan.check()
    return plan.sources()


def count_sources(inputs: Sequence[str]) -> int | None:
    """How many photographs `find_sources` will find; None if a list on stdin is among the inputs.

    Raises:
        UsageError: as `find_sources`.
    """
    if STDIN in inputs:
        return None
    return sum(1 for _ in find_sources(inputs, None))


def inside(root: Path, file_name: str) -> Path:
    """The file that a relative name with `/` means below a folder.

    Raises:
        UsageError: if the name leads out of the folder, or is none.
    """
    name = PurePosixPath(file_name)
    if name.is_absolute() or ".." in name.parts or not name.name or "\0" in file_name:
        raise UsageError(f"{file_name!r} is not a name below the folder {root}")
    return root / name


@dataclass(frozen=True, slots=True)
class _Input:
    """One input: what to take below the absolute folder `top`.

    Attributes:
        given: as the user wrote it.
        top, real: the folder, and the same with all links resolved.
        file: the one name to take, or empty.
        steps: what the names on the way down must match, None for `**`; nothing takes the whole folder.
    """

    given: str
    top: str
    real: str
    file: str = ""
    steps: tuple[re.Pattern[str] | None, ...] = ()

    def begin(self) -> frozenset[int]:
        """The set of steps that may come next, at the top. `len(steps)` in it means: matched."""
        return self._skip_stars({0})

    def advance(self, state: frozenset[int], name: str) -> frozenset[int]:
        """The same one name further down. What lies below a match is matched; an empty set never will be."""
        after = set()
        for at in state:
            if at == len(self.steps):
                after.add(at)
                continue
            step = self.steps[at]
            if step is None:
                after.add(at)
            elif step.match(name):
                after.add(at + 1)
        return self._skip_stars(after)

    def given_path(self, below: str) -> str:
        """The path of what lies below the top, as a shell would have written it out."""
        if self.file:
            return self.given
        if not self.steps:
            return os.path.join(self.given, below)
        path = os.path.join(self.top, below)
        return path if os.path.isabs(self.given) else os.path.relpath(path)

    def accepts(self, state: frozenset[int]) -> bool:
        return len(self.steps) in state

    def lasting(self, state: frozenset[int]) -> frozenset[int]:
        """What of a folder's state holds in every folder below it."""
        return self._skip_stars({at for at in state if at == len(self.steps) or self.steps[at] is None})

    def covers(self, path: str) -> bool:
        """Whether a walk of this input yields the absolute file `path`."""
        prefix = os.path.join(self.real, "")
        if not path.startswith(prefix):
            return False
        state = self.begin()
        for name in path[len(prefix) :].split(os.sep):
            if name.startswith("."):
                return False
            state = self.advance(state, name)
        return self.accepts(state)

    def _skip_stars(self, state: set[int]) -> frozenset[int]:
        for at, step in enumerate(self.steps):
            if at in state and step is None:
                state.add(at + 1)
        return frozenset(state)


class _Plan:
    """All inputs together: what each of them yields, and which of them comes first for a file."""

    def __init__(self, inputs: Sequence[str], stdin: BinaryIO | None) -> None:
        if not inputs:
            raise UsageError("no photographs given: name files, folders or patterns, or - for a list on stdin")
        self._list = stdin if STDIN in inputs else None
        if STDIN in inputs and stdin is None:
            raise UsageError("- needs a list of photographs on stdin")
        self._inputs = [_resolve(given) for given in dict.fromkeys(inputs) if given != STDIN]
        self._base = os.getcwd() if self._list else os.path.commonpath([entry.top for entry in self._inputs])
        # By name, so that a million named files or folders cost one look-up per photograph.
        self._files: dict[str, int] = {}
        self._folders: dict[str, int] = {}
        self._patterns: list[tuple[int, _Input]] = []
        for index, entry in enumerate(self._inputs):
            if entry.file:
                self._files.setdefault(os.path.join(entry.real, entry.file), index)
            elif entry.steps:
                self._patterns.append((index, entry))
            else:
                self._folders.setdefault(entry.real, index)

    def check(self) -> None:
        """Raise UsageError for the first input that yields nothing."""
        for entry in self._inputs:
            if entry.file or next(_walk(entry), None) is not None:
                continue
            what = "no photograph matches this pattern" if entry.steps else "no photographs in this folder"
            supported = ", ".join(suffix[1:] for suffix in SUFFIXES)
            raise UsageError(f"{entry.given}: {what}; supported extensions: {supported}")

    def sources(self) -> Iterator[Source]:
        for index, entry in enumerate(self._inputs):
            for below in (entry.file,) if entry.file else _walk(entry):
                if not index or not self._came_before(os.path.join(entry.real, below), index):
                    path = os.path.join(entry.top, below)
                    yield Source(Path(path), self._name(path), entry.given_path(below))
        if self._list is not None:
            empty = True
            for name in _read_list(self._list):
                empty = False
                yield Source(Path(name), self._name(os.path.abspath(name)), name)
            if empty:
                raise UsageError("the list on stdin is empty: write one file name a line, or separate them by NUL")

    def _name(self, path: str) -> str:
        base = os.path.join(self._base, "")
        name = path[len(base) :] if path.startswith(base) else os.path.splitdrive(path)[1]
        return name.replace(os.sep, "/").lstrip("/")

    def _came_before(self, path: str, index: int) -> bool:
        """Whether an input before number `index` yields the file `path`."""
        if self._files.get(path, index) < index:
            return True
        folder, name = os.path.split(path)
        if not _is_photograph(name):
            return False
        if any(self._folders.get(above, index) < index for above in _visible_above(folder)):
            return True
        return any(entry.covers(path) for before, entry in self._patterns if before < index)


def _resolve(given: str) -> _Input:
    path = os.path.abspath(given)
    if given and os.path.isdir(path):
        return _Input(given, path, os.path.realpath(path))
    if given and os.path.lexists(path):
        top, file = os.path.split(path)
        return _Input(given, top, os.path.realpath(top), file)
    if not _MAGIC.search(given):
        raise UsageError(f"{given or repr(given)}: no such file or folder")
    top, *names = path.split(os.sep)
    top += os.sep
    # A folder that exists under its very name, brackets and all, is no pattern.
    while not _MAGIC.search(names[0]) or os.path.isdir(os.path.join(top, names[0])):
        top = os.path.join(top, names.pop(0))
    if not os.path.isdir(top):
        raise UsageError(f"{given}: no such folder: {top}")
    steps = tuple(None if name == "**" else re.compile(translate(name)) for name in names)
    return _Input(given, top, os.path.realpath(top), steps=steps)


@dataclass(frozen=True, slots=True)
class _Level:
    """A folder on the way down: its name below the top, its real path, and the entries yet to visit."""

    below: str
    real: str
    state: frozenset[int]
    entries: Iterator[os.DirEntry[str]]


def _walk(entry: _Input) -> Iterator[str]:
    """Names below `entry.top` of the photographs that it takes, sorted within each folder."""
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
            if entry.accepts(state) and _is_photograph(found.name) and _is_file(found):
                yield below
            continue
        if found.is_symlink():
            real = os.path.realpath(found.path)
            upward = os.path.join(level.real, "").startswith(os.path.join(real, ""))
            if upward or any(state <= walked.get(above, frozenset()) for above in _visible_above(real)):
                continue
            walked[real] = entry.lasting(state)
        else:
            real = os.path.join(level.real, found.name)
            if state <= walked.get(real, frozenset()):
                continue
        try:
            levels.append(_Level(below, real, state, _list(found.path)))
        except OSError:  # to be said where photographs are opened
            yield below


def _list(folder: str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        visible = [entry for entry in entries if not entry.name.startswith(".")]
    return iter(sorted(visible, key=lambda entry: entry.name))


def _visible_above(folder: str) -> Iterator[str]:
    """`folder` and the folders above it from which a walk, which skips hidden names, gets to it."""
    while True:
        yield folder
        above, name = os.path.split(folder)
        if above == folder or name.startswith("."):
            return
        folder = above


def _is_photograph(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    """A file, or a link that leads nowhere: that is a photograph somebody misses, and must be reported as one."""
    try:
        return entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path))
    except OSError:
        return True


def _read_list(stdin: BinaryIO) -> Iterator[str]:
    for name in _split(stdin):
        if name:
            yield os.fsdecode(name)


def _split(stdin: BinaryIO) -> Iterable[bytes]:
    # read1 hands over what a slow pipe has, where read would wait for the whole chunk.
    read = getattr(stdin, "read1", stdin.read)
    separator, rest = b"\n", b""
    while chunk := read(_CHUNK):
        if b"\0" in chunk:
            separator = b"\0"
        *names, rest = (rest + chunk).split(separator)
        yield from names if separator == b"\0" else (name.removesuffix(b"\r") for name in names)
        if len(rest) > _LONGEST:
            raise UsageError("stdin holds no list of photographs: write one file name a line, or separate them by NUL")
    yield rest if separator == b"\0" else rest.removesuffix(b"\r")
