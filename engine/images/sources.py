"""Which photographs to take: files, folders, glob patterns and a list on stdin become a lazy stream.

Nothing is kept per photograph: at any time the names of one folder, of the folders above it, and what was
written on the command line are in memory.

The very same file reached through two overlapping inputs comes once, from the first of them. Names are
compared: a file that is linked, or that a list on stdin names twice, comes twice.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

from engine.errors import PhotographError, UsageError
from engine.images.coco_list import CocoList, is_coco_list, read_coco_list
from engine.images.formats.kinds import SUFFIXES
from engine.images.inputs import Input, is_hidden, is_within, visible_above
from engine.images.lists import read_names
from engine.images.search import other_thing, search, takes
from engine.text.names import to_text
from engine.text.prompts import Question

if TYPE_CHECKING:
    import numpy as np

STDIN = "-"
IN_OUT = "in the output folder"
_KINDS = 6  # of files left out, that are named


@dataclass(frozen=True, slots=True)
class Source:
    """A photograph to read.

    Attributes:
        path: where it lies.
        file_name: its name in every output: relative to the input root, with `/`, in the form of `engine.text.names`.
        given: the path as the user gave it: on a list to the letter, below a folder behind the folder's own.
        image: what a list in COCO's form says of it, its `id` among it.
        questions: its own, instead of those about all.
    """

    path: Path
    file_name: str
    given: str = ""
    image: Mapping[str, Any] | None = field(default=None, hash=False)
    questions: tuple[Question, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class InMemory:
    """A photograph that a program has in memory.

    Attributes:
        file_name: what it is called in every output.
        pixels: uint8 `(H, W, 3)`, upright RGB, or why there are none.
        questions: its own, instead of those about all.
    """

    file_name: str
    pixels: np.ndarray | PhotographError
    questions: tuple[Question, ...] = ()


class Sources(Iterator[Source]):
    """Photographs, found as they are asked for.

    Attributes:
        left_out: files that were met so far and are no photographs, how many of each kind: by their endings.
        listed: the list in COCO's form that they are on, if they are.
        faults: what can't be used of the inputs, in a line each.
        total: how many there are, where that is known.
    """

    def __init__(
        self,
        sources: Iterator[Source],
        left_out: Mapping[str, int],
        listed: CocoList | None = None,
        faults: Sequence[str] = (),
        total: int | None = None,
    ) -> None:
        self._sources = sources
        self.left_out = left_out
        self.listed = listed
        self.faults, self.total = faults, total

    def __next__(self) -> Source:
        return next(self._sources)


def find_sources(
    inputs: Sequence[str],
    stdin: BinaryIO | None,
    out: str | os.PathLike[str] | None = None,
    root: str | None = None,
) -> Sources:
    """Find photographs, lazily, in the order of the inputs and sorted within each folder.

    Folders are walked to the bottom; hidden names are skipped; a link to a folder is followed once, and not
    when it leads to what is walked anyway. A folder on the way that can't be listed comes as if it were a photograph,
    so that it fails as one and is not forgotten. A pattern (`*`, `?`, `[...]`, `**`) that matches a folder stands
    for the folder. What is called like a photograph is taken for one, and of other files those that begin like one;
    a file that is named is taken in any case.

    `file_name` is relative to the folder, or with several inputs to the folder that holds all of them. With
    `-` (names on stdin, newline- or NUL-separated) it is relative to the working directory, or, for a file
    elsewhere, the absolute path without its first `/`.

    A COCO JSON (see `engine.images.coco_list`) is given alone, and names are as it has them.

    Args:
        inputs: files, folders, patterns, `-`; or a COCO JSON.
        stdin: what `-` reads; not touched without one.
        out: the folder for the results, which is never searched.
        root: the folder of a COCO JSON's photographs; its own without one.

    Raises:
        UsageError: at once, if an input does not exist, can't be listed, matches nothing, holds no photograph or lies
            in `out`; later, if what comes on stdin is empty or no list.
    """
    if lists := [given for given in inputs if is_coco_list(given)]:
        if len(inputs) > 1:
            raise UsageError(f"{lists[0]} is a COCO JSON: give it alone; mglmm merge-runs joins what was done apart")
        return _listed(read_coco_list(lists[0], root), out)
    if root is not None:
        raise UsageError(f"--root {root} is where the photographs of a COCO JSON lie: give one (.json) as INPUT")
    plan = _Plan(inputs, stdin, out)
    plan.check()
    return Sources(plan.sources(), plan.left_out, faults=plan.faults)


def _listed(listed: CocoList, out: str | os.PathLike[str] | None) -> Sources:
    inside = None if out is None else os.path.realpath(out)
    if is_within(os.path.realpath(listed.path), inside):
        raise UsageError(f"{listed.path}: lies in the output folder, of which nothing is taken")
    left_out: Counter[str] = Counter()

    def sources() -> Iterator[Source]:
        for image in listed.images:
            path = os.path.join(listed.root, image["file_name"])
            if is_within(os.path.realpath(path), inside):
                left_out[IN_OUT] += 1
            else:
                yield Source(Path(path), to_text(image["file_name"]), path, image)

    return Sources(sources(), left_out, listed, listed.faults, len(listed.images))


def count_sources(inputs: Sequence[str], out: str | os.PathLike[str] | None = None) -> int | None:
    """How many photographs `find_sources` will find; None if a list on stdin is among the inputs.

    Raises:
        UsageError: as `find_sources`.
    """
    if STDIN in inputs:
        return None
    return sum(1 for _ in find_sources(inputs, None, out))


def say_left_out(left_out: Mapping[str, int]) -> str:
    """What was left out, in words, such as `3 files left out: 2 heic, 1 mp4`; empty if nothing was."""
    if not left_out:
        return ""
    kinds = Counter(left_out).most_common()
    said = [f"{count} {kind}" for kind, count in kinds[:_KINDS]]
    if others := sum(count for _, count in kinds[_KINDS:]):
        said.append(f"{others} of other kinds")
    total = sum(left_out.values())
    return f"{total} {'file' if total == 1 else 'files'} left out: {', '.join(said)}"


def name_below(base: str, path: str) -> str:
    """What a file is called in every output: its absolute path, without the folder `base` where it lies there."""
    front = os.path.join(base, "")
    name = path[len(front) :] if path.startswith(front) else os.path.splitdrive(path)[1]
    return to_text(name.replace(os.sep, "/").lstrip("/"))


def inside(root: Path, file_name: str) -> Path:
    """The file that a relative name with `/` means below a folder.

    Raises:
        UsageError: if the name leads out of the folder, or is none.
    """
    name = PurePosixPath(file_name)
    if name.is_absolute() or ".." in name.parts or not name.name or "\0" in file_name:
        raise UsageError(f"{file_name!r} is not a name below the folder {root}")
    return root / name


class _Plan:
    """All inputs together: what each of them yields, and which of them comes first for a file."""

    def __init__(self, inputs: Sequence[str], stdin: BinaryIO | None, out: str | os.PathLike[str] | None) -> None:
        if not inputs:
            raise UsageError("no photographs given: name files, folders or patterns, or - for a list on stdin")
        self._list = stdin if STDIN in inputs else None
        if STDIN in inputs and stdin is None:
            raise UsageError("- needs a list of photographs on stdin")
        self._out = None if out is None else os.path.realpath(out)
        self._inputs = [Input.of(given) for given in dict.fromkeys(inputs) if given != STDIN]
        self._base = os.getcwd() if self._list else os.path.commonpath([entry.top for entry in self._inputs])
        self.left_out: Counter[str] = Counter()
        self.faults: list[str] = []
        self._wrong: set[int] = set()
        # By name, so that a million named files or folders cost one look-up per photograph.
        self._files: dict[str, int] = {}
        self._folders: dict[str, int] = {}
        self._patterns: list[tuple[int, Input]] = []
        for index, entry in enumerate(self._inputs):
            if entry.file:
                self._files.setdefault(os.path.join(entry.real, entry.file), index)
            elif entry.steps:
                self._patterns.append((index, entry))
            else:
                self._folders.setdefault(entry.real, index)

    def check(self) -> None:
        """Raise UsageError for the first input that yields nothing; of several, archives and the like are left out."""
        for index, entry in enumerate(self._inputs):
            if self._is_in_out(os.path.join(entry.top, entry.file)):
                raise UsageError(f"{entry.given}: lies in the output folder, of which nothing is taken")
            if not entry.file:
                self._check_search(entry)
            elif wrong := other_thing(os.path.join(entry.top, entry.file)):
                self.faults.append(f"{entry.given}: {wrong}")
                self._wrong.add(index)
        if self._inputs and len(self._wrong) == len(self._inputs) and self._list is None:
            raise UsageError(self.faults[0])

    def _check_search(self, entry: Input) -> None:
        left_out: Counter[str] = Counter()

        def pass_over(below: str, kind: str) -> None:
            left_out[kind] += 1

        if next(search(entry, self._out, pass_over), None) is None:
            what = "no photograph matches this pattern" if entry.steps else "no photographs in this folder"
            found = f" ({say_left_out(left_out)})" if left_out else ""
            supported = ", ".join(suffix[1:] for suffix in SUFFIXES)
            raise UsageError(f"{entry.given}: {what}{found}; supported extensions: {supported}")

    def sources(self) -> Iterator[Source]:
        for index, entry in enumerate(self._inputs):
            if index in self._wrong:
                continue
            for below in (entry.file,) if entry.file else search(entry, self._out, partial(self._pass_over, index)):
                real = os.path.join(entry.real, below)
                if not index or not self._came_before(real, index):
                    path = os.path.join(entry.top, below)
                    yield Source(Path(path), self._name(path), entry.given_path(below))
        if self._list is not None:
            empty = True
            for name in read_names(self._list):
                empty = False
                if self._is_in_out(name):
                    self.left_out[IN_OUT] += 1
                else:
                    yield Source(Path(name), self._name(os.path.abspath(name)), name)
            if empty:
                raise UsageError("the list on stdin is empty: write one file name a line, or separate them by NUL")

    def _pass_over(self, index: int, below: str, kind: str) -> None:
        """Count a file that input number `index` leaves out, unless another input takes it or has counted it."""
        path = os.path.join(self._inputs[index].real, below)
        if path not in self._files and not (index and self._met_before(path, index)):
            self.left_out[kind] += 1

    def _name(self, path: str) -> str:
        return name_below(self._base, path)

    def _is_in_out(self, path: str) -> bool:
        return self._out is not None and is_within(os.path.realpath(path), self._out)

    def _came_before(self, path: str, index: int) -> bool:
        """Whether an input before number `index` yields the file `path`."""
        return self._files.get(path, index) < index or (self._met_before(path, index) and takes(path))

    def _met_before(self, path: str, index: int) -> bool:
        """Whether the search of an input before number `index` meets the file `path`."""
        folder, name = os.path.split(path)
        if is_hidden(name):
            return False
        if any(self._folders.get(above, index) < index for above in visible_above(folder)):
            return True
        return any(entry.reaches(path) for before, entry in self._patterns if before < index)
