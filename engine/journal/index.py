"""Where each photograph stands in a journal: a few numbers per photograph, the rest stays in the file."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np

from engine.errors import MglmmError
from engine.journal.kinds import PHOTO, Begun, Finished, Foreign, Known, Photograph, Seen, Unknown, photograph, read
from engine.journal.lines import BEGIN, load, unseal
from engine.journal.places import Entry, Place
from engine.journal.regular import open_regular
from engine.journal.run import VERSION, RunInfo, Start, differences
from engine.text.names import renewed

_BUFFER = 1 << 18
_LONGEST = 1 << 28
"""Bytes of a line; what is longer was never one."""
_NONE = -1
"""Stands for the number of a photograph that has none."""
_NOT_SAID = "no line that is whole says what run it is of"


class Index:
    """What a journal holds, found by reading it once from end to end and checking every line.

    A photograph's last line counts, but the first number it got. A last line without its newline was torn, and counts
    for nothing. A failure that a run did not meet again, though it went through all inputs, is forgotten: the file is
    no longer there.

    Photographs that were answered when journals had no numbers are numbered in the order of the inputs.

    Args:
        path: of the journal.

    Attributes:
        end: where the last whole line ends.
        start, first: the newest and the oldest line that says what a run is; None if none does.
        finished: when all inputs had been gone through, if nothing was begun since.
        since: photographs since `start`.
        damage: lines whose checksum is wrong, but for those that are known: number, from 1, and where it begins.
        unknown: how many lines are whole but can't be read here.
        licenses: what the lists of all its starts say of licences, each once.
        largest: the largest number that a photograph ever had; 0 if none has one.

    Raises:
        UsageError: if it is no file.
        MglmmError: if it is one of another version.
        OSError: if it can't be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.end = 0
        self.first: Start | None = None
        self.start: Start | None = None
        self.finished = ""
        self.since = self.unknown = 0
        self.damage: dict[int, int] = {}
        self._strange = ""  # the first line that is unknown
        self._begun = 0  # where the line of `start` is
        self._identities: set[str] = set()
        self.largest = 0
        self.licenses: list[Mapping[str, Any]] = []
        self._names, self._ats, self._offsets, self._states = array("q"), array("q"), array("q"), bytearray()
        self._numbers = array("q")
        self._seen: dict[str, int] = {}  # numbers of those without a line that says theirs
        self._unsaid: array[int] = array("q")  # rows of those whose number no line says
        self._file: BinaryIO = os.fdopen(open_regular(path), "rb", _BUFFER)
        try:
            self._scan()
            self.since = int((self._offset_array >= self._begun).sum())
            self._keep_last()
            self._number()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Let go of the file; nothing more can be read."""
        self._file.close()

    @property
    def done(self) -> int:
        """Photographs that were answered."""
        return self._states.count(True)

    @property
    def failed(self) -> int:
        """Photographs that could not be done."""
        return self._states.count(False)

    @property
    def damaged(self) -> list[int]:
        """Numbers of the lines of `damage`."""
        return list(self.damage)

    @property
    def blank(self) -> bool:
        """Whether a run was cut off before it had said what it is, and nothing else is there."""
        if self.end:
            return False
        self._file.seek(0)
        return BEGIN.startswith(self._file.read(len(BEGIN)))

    @property
    def info(self) -> RunInfo:
        """The run, from its first start to its end.

        Raises:
            MglmmError: if no line that is whole says what it is.
        """
        if self.start is None or self.first is None:
            self.require_continuable()
            raise MglmmError(f"{self.path}: {_NOT_SAID}: run the command that made it again, which says it again")
        return replace(self.start.info, started=self.first.info.started, finished=self.finished)

    def require_continuable(self) -> None:
        """Refuse a journal that no run can go on with.

        Raises:
            MglmmError: if neither a line that is whole says what run it is of, nor any of its photographs.
        """
        if self.start is None and not self._identity:
            raise MglmmError(f"{self.path}: {_NOT_SAID}: --fresh starts over")

    def differences(self, info: RunInfo) -> list[str]:
        """What keeps a run from going on with this journal, in words; nothing if it may.

        Raises:
            MglmmError: if no run can.
        """
        self.require_continuable()
        if self.start is not None:
            return differences(self.start.info, info)
        return [] if self._identity == info.identity else [f"{_NOT_SAID}, but another model or other options"]

    @property
    def left_aside(self) -> str:
        """What is to be said of the lines that are unknown; empty if there are none."""
        if not self.unknown:
            return ""
        if self.unknown == 1:
            return f"{self._strange} was written by a newer version of mglmm: it stays there, and is left out here"
        return (
            f"{self._strange} and {self.unknown - 1} more were written by a newer version of mglmm: "
            "they stay there, and are left out here"
        )

    @property
    def _identity(self) -> str:
        """Of the run, as its photographs say it; empty if they don't, or not all the same."""
        return next(iter(self._identities)) if len(self._identities) == 1 else ""

    def find(self, name: str) -> Place | None:
        """The newest line of a photograph."""
        found = self._find(renewed(name))
        return Place(found[1].done, found[1].known, self._offsets[found[0]]) if found else None

    def number(self, name: str) -> int | None:
        """The number of a photograph; None if nobody has listed it, or it failed when there were none."""
        name = renewed(name)
        if name in self._seen:
            return self._seen[name]
        found = self._find(name)
        return self._numbers[found[0]] if found and self._numbers[found[0]] != _NONE else None

    def unsaid(self) -> Iterator[tuple[str, int]]:
        """Names and numbers of the photographs whose number stands in no line."""
        return ((self._name(row), self._numbers[row]) for row in self._unsaid)

    def known(self) -> Iterator[tuple[str, int, int | str | None]]:
        """Name, number and id, None where none is done, of each photograph that has a number, in no order."""
        for row, number in enumerate(self._numbers):
            if number != _NONE:
                line = self._read(self._offsets[row])
                yield line.name, number, load(line.text).get("image", {}).get("id", number)
        yield from ((name, number, None) for name, number in self._seen.items())

    def value(self, place: Place) -> dict[str, Any]:
        """The public form of what stands there."""
        return self._form(place.offset)

    def head(self, place: Place) -> dict[str, Any]:
        """What the journal notes of what stands there."""
        head: dict[str, Any] = load(b"{%b}" % self._line(place.offset).partition(PHOTO)[0])
        return head

    def photographs(self) -> Iterator[dict[str, Any]]:
        """The public form of each photograph that was answered, in the order of the inputs."""
        return self._values(done=True)

    def entries(self) -> Iterator[Entry]:
        """The same with their numbers."""
        for row in self._rows(done=True):
            offset = self._offsets[row]
            yield Entry(self._numbers[row], self._form(offset), self._read(offset).known)

    def lines(self) -> Iterator[Photograph]:
        """What the journal says of each photograph, answered or not, in the order of the inputs, with its number."""
        rows = np.lexsort((self._offset_array, np.frombuffer(self._ats, np.int64)))
        for row in array("q", rows.astype(np.int64).tobytes()):
            number = self._numbers[row]
            yield replace(self._read(self._offsets[row]), number=None if number == _NONE else number)

    def failures(self) -> Iterator[dict[str, Any]]:
        """The same of each that could not be done."""
        return self._values(done=False)

    def times(self) -> Iterator[float]:
        """When the photographs since `start` were done, in the order of the file, in seconds since 1970.

        Those of older versions, whose lines don't say it, are left out.
        """
        for offset in array("q", np.sort(self._offset_array[self._offset_array >= self._begun]).tobytes()):
            if time := self._read(offset).time:
                yield time / 1000

    def require_whole(self) -> None:
        """Refuse to make outputs without the photographs of damaged lines.

        Raises:
            MglmmError: naming the first one.
        """
        if self.damaged:
            raise MglmmError(
                f"{self.path}: line {self.damaged[0]} is damaged"
                + (f", and {len(self.damaged) - 1} more" if len(self.damaged) > 1 else "")
                + ": run the command that made it again, which does the photographs of such lines again"
            )

    def _values(self, *, done: bool) -> Iterator[dict[str, Any]]:
        for row in self._rows(done=done):
            yield self._form(self._offsets[row])

    def _rows(self, *, done: bool) -> array[int]:
        """Of the photographs that were answered, or of the others, in the order of the inputs."""
        rows = np.flatnonzero(np.frombuffer(self._states, np.bool_) == done)
        ats, offsets = np.frombuffer(self._ats, np.int64)[rows], self._offset_array[rows]
        return array("q", rows[np.lexsort((offsets, ats))].astype(np.int64).tobytes())

    def _find(self, name: str) -> tuple[int, Photograph] | None:
        """Row and newest line of a photograph."""
        wanted = hash(name)
        row = bisect_left(self._names, wanted)
        while row < len(self._names) and self._names[row] == wanted:
            line = self._read(self._offsets[row])
            if line.name == name:
                return row, line
            row += 1
        return None

    @property
    def _offset_array(self) -> np.ndarray:
        return np.frombuffer(self._offsets, np.int64)

    def _read(self, offset: int) -> Photograph:
        return photograph(self._line(offset)) or self._changed(offset)

    def _form(self, offset: int) -> dict[str, Any]:
        """The public form of what stands there; its shape was checked when the index was made."""
        form: dict[str, Any] = load(self._line(offset).partition(PHOTO)[2][:-1])
        form["file_name"] = renewed(form["file_name"])
        return form

    def _line(self, offset: int) -> bytes:
        self._file.seek(offset)
        return unseal(self._file.readline(_LONGEST)) or self._changed(offset)

    def _changed(self, offset: int) -> NoReturn:
        raise MglmmError(f"{self.path}: the line at byte {offset} has changed since it was read: is the disk sound?")

    def _scan(self) -> None:
        add_name, add_at, add_offset = self._names.append, self._ats.append, self._offsets.append
        offset = 0
        for number, line in enumerate(iter(partial(self._file.readline, _LONGEST), b""), start=1):
            rest = unseal(line)
            if rest is None:
                if not line.endswith(b"\n") and len(line) < _LONGEST:
                    break
                self.damage[number] = offset
            elif isinstance(said := read(rest), Photograph):
                add_name(hash(said.name))
                add_at(said.at)
                add_offset(offset)
                self._states.append(said.done)
                self._numbers.append(self._number_of(said))
                if said.identity:  # older lines don't say it
                    self._identities.add(said.identity)
                self.finished = ""
            elif isinstance(said, Seen):
                self._seen[said.name] = said.number
                self.largest = max(self.largest, said.number)
            else:
                self._note(said, number, offset)
            offset += len(line)
        self.end = offset

    def _number_of(self, line: Photograph) -> int:
        """The number that a line says, or one before it has said; then that is not needed any longer."""
        if line.number is None:
            return self._seen.pop(line.name, _NONE)
        self._seen.pop(line.name, None)
        self.largest = max(self.largest, line.number)
        return line.number

    def _note(self, said: Begun | Known | Finished | Foreign | Unknown, number: int, offset: int) -> None:
        """A line that is not a photograph's."""
        if isinstance(said, Begun):
            begun = offset if said.offset is None else said.offset
            if begun != self._begun or self.start is None:  # or it repeats what is known
                self.start, self._begun, self.finished = said.start, begun, ""
            self.first = self.first or said.start
            self.licenses += [entry for entry in said.start.licenses if entry not in self.licenses]
        elif isinstance(said, Known):
            for line, at in list(self.damage.items()):
                if at in said.offsets if said.offsets else line in said.numbers:
                    del self.damage[line]
        elif isinstance(said, Finished):
            self.finished = said.at
        elif isinstance(said, Foreign):
            which = "a newer" if said.version > VERSION else "an older"
            raise MglmmError(
                f"{self.path}: line {number} ('run', version {said.version}) was written by {which} version of mglmm: "
                "go on with that one, or start over with --fresh"
            )
        else:
            self._strange = self._strange or f"line {number} ({said.kind!r})"
            self.unknown += 1

    def _keep_last(self) -> None:
        """Sort by name, and of several lines of a photograph keep the last."""
        names = np.frombuffer(self._names, np.int64)
        order = np.argsort(names, kind="stable")  # equal ones stay in the order of the file
        same = names[order[1:]] == names[order[:-1]]
        keep = np.ones(len(order), bool)
        numbers = np.frombuffer(self._numbers, np.int64)[order]
        later: dict[str, int] = {}
        following = -1
        for place in reversed(np.flatnonzero(same).tolist()):
            if place + 1 != following:
                later = {self._name(order[place + 1]): place + 1}
            # Two names may have one hash.
            name = self._name(order[place])
            last = later.setdefault(name, place)
            if last != place:
                keep[place] = False
                # A list that names a photograph twice may get it two.
                if numbers[place] != _NONE:
                    numbers[last] = numbers[place]
            following = place
        if self.finished:
            keep &= np.frombuffer(self._states, np.bool_)[order] | (self._offset_array[order] > self._begun)
        order = order[keep]
        self._names = array("q", names[order].tobytes())
        self._ats = array("q", np.frombuffer(self._ats, np.int64)[order].tobytes())
        self._offsets = array("q", self._offset_array[order].tobytes())
        self._states = bytearray(np.frombuffer(self._states, np.bool_)[order].tobytes())
        self._numbers = array("q", numbers[keep].tobytes())

    def _number(self) -> None:
        """Give their numbers to the photographs whose own lines don't say them."""
        if _NONE not in self._numbers:
            return
        for name in list(self._seen):
            if found := self._find(name):
                if self._numbers[found[0]] == _NONE:
                    self._numbers[found[0]] = self._seen[name]
                del self._seen[name]
        for row in self._rows(done=True):
            if self._numbers[row] == _NONE:
                self.largest += 1
                self._numbers[row] = self.largest
                self._unsaid.append(row)

    def _name(self, row: int) -> str:
        return self._read(self._offsets[row]).name
