"""Where each photograph stands in a journal: a few numbers per photograph, the rest stays in the file."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from engine.errors import MglmmError
from engine.journal.content import Fingerprint
from engine.journal.lines import load, unseal
from engine.journal.run import RunInfo, Start
from engine.names import renewed

PHOTO = b',"photo":'
"""Between what the journal notes and the public form. No text of JSON holds it, as quotes in it are escaped."""
DONE, FAILED = "done", "failed"
_BUFFER = 1 << 18


@dataclass(frozen=True, slots=True)
class Place:
    """A photograph's line.

    Attributes:
        done: it was answered; otherwise it failed.
        known: what its file held.
        offset: where the line begins.
    """

    done: bool
    known: Fingerprint
    offset: int


class Index:
    """What a journal holds, found by reading it once from end to end and checking every line.

    Args:
        path: of the journal. A last line without its newline was torn, and counts for nothing. A failure that a run
            did not meet again, though it went through all inputs, is forgotten: the file is no longer there.

    Attributes:
        end: where the last whole line ends.
        start, first: the newest and the oldest line that a run began with; None if there is none.
        finished: when all inputs had been gone through, if nothing was begun since.
        since: photographs since `start`.
        damaged: numbers of lines, from 1, whose checksum is wrong, but for those that are known.

    Raises:
        MglmmError: if the journal is one of another version.
        OSError: if it can't be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.end = 0
        self.first: Start | None = None
        self.start: Start | None = None
        self.finished = ""
        self.since = 0
        self._begun = 0  # where the line of `start` is
        self._names, self._ats, self._offsets, self._states = array("q"), array("q"), array("q"), bytearray()
        self.damaged: list[int] = []
        self._file: BinaryIO = path.open("rb", buffering=_BUFFER)
        try:
            self._scan()
            self._keep_last()
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
    def info(self) -> RunInfo:
        """The run, from its first start to its end.

        Raises:
            MglmmError: if no line says what it is.
        """
        if self.start is None or self.first is None:
            raise MglmmError(f"{self.path}: no line that is whole says what run it is of: --fresh starts over")
        return replace(self.start.info, started=self.first.info.started, finished=self.finished)

    def find(self, name: str) -> Place | None:
        """The newest line of a photograph."""
        name = renewed(name)
        wanted = hash(name)
        at = bisect_left(self._names, wanted)
        while at < len(self._names) and self._names[at] == wanted:
            head, _ = self._read(self._offsets[at])
            if renewed(head["name"]) == name:
                known = Fingerprint(head["content"], head["stamp"])
                return Place(head["state"] == DONE, known, self._offsets[at])
            at += 1
        return None

    def value(self, place: Place) -> dict[str, Any]:
        """The public form of what stands there."""
        return _photograph(self._read(place.offset)[1])

    def photographs(self) -> Iterator[dict[str, Any]]:
        """The public form of each photograph that was answered, in the order of the inputs."""
        return self._values(done=True)

    def failures(self) -> Iterator[dict[str, Any]]:
        """The same of each that could not be done."""
        return self._values(done=False)

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
        states = np.frombuffer(self._states, np.bool_)
        ats, offsets = np.frombuffer(self._ats, np.int64)[states == done], self._offset_array[states == done]
        for offset in array("q", offsets[np.lexsort((offsets, ats))].tobytes()):
            self._file.seek(offset)
            line = self._file.readline()  # checked when the index was made
            yield _photograph(line[line.index(PHOTO) + len(PHOTO) : -2])

    @property
    def _offset_array(self) -> np.ndarray:
        return np.frombuffer(self._offsets, np.int64)

    def _read(self, offset: int) -> tuple[dict[str, Any], bytes]:
        self._file.seek(offset)
        rest = unseal(self._file.readline())
        if rest is None:
            raise MglmmError(
                f"{self.path}: the line at byte {offset} has changed since it was read: is the disk sound?"
            )
        head, _, photo = rest.partition(PHOTO)
        return load(b"{%b}" % head), photo[:-1]

    def _scan(self) -> None:
        add_name, add_at, add_offset = self._names.append, self._ats.append, self._offsets.append
        offset = 0
        for number, line in enumerate(self._file, start=1):
            rest = unseal(line)
            if rest is None:
                if not line.endswith(b"\n"):
                    break
                self.damaged.append(number)
            elif rest.startswith(b'"name":'):
                head = load(b"{%b}" % rest[: rest.index(PHOTO)])
                add_name(hash(renewed(head["name"])))
                add_at(head["at"])
                add_offset(offset)
                self._states.append(head["state"] == DONE)
                self.since += 1
                self.finished = ""
            else:
                self._note(load(b"{" + rest), offset)
            offset += len(line)
        self.end = offset

    def _note(self, value: dict[str, Any], offset: int) -> None:
        """A line that is not a photograph's."""
        if "run" in value:
            try:
                self.start = Start.from_json(value)
            except (KeyError, TypeError) as error:
                raise MglmmError(f"{self.path} was written by another version of mglmm: {error}") from error
            self.first = self.first or self.start
            self.since, self.finished, self._begun = 0, "", offset
        elif "damaged" in value:
            self.damaged = [number for number in self.damaged if number not in value["damaged"]]
        else:
            self.finished = value["finished"]

    def _keep_last(self) -> None:
        """Sort by name, and of several lines of a photograph keep the last."""
        names = np.frombuffer(self._names, np.int64)
        order = np.argsort(names, kind="stable")  # equal ones stay in the order of the file
        same = names[order[1:]] == names[order[:-1]]
        keep = np.ones(len(order), bool)
        later: set[str] = set()
        following = -1
        for place in reversed(np.flatnonzero(same).tolist()):
            if place + 1 != following:
                later = {self._name(order[place + 1])}
            # Two names may have one hash.
            keep[place] = (name := self._name(order[place])) not in later
            later.add(name)
            following = place
        if self.finished:
            keep &= np.frombuffer(self._states, np.bool_)[order] | (self._offset_array[order] > self._begun)
        order = order[keep]
        self._names = array("q", names[order].tobytes())
        self._ats = array("q", np.frombuffer(self._ats, np.int64)[order].tobytes())
        self._offsets = array("q", self._offset_array[order].tobytes())
        self._states = bytearray(np.frombuffer(self._states, np.bool_)[order].tobytes())

    def _name(self, row: int) -> str:
        return renewed(self._read(self._offsets[row])[0]["name"])


def _photograph(text: bytes) -> dict[str, Any]:
    """A photograph's public form, its name as it is written today."""
    value: dict[str, Any] = load(text)
    value["file_name"] = renewed(value["file_name"])
    return value
