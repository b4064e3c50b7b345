"""The journal of an output folder, held by one process: what is done is found in it, what gets done is added."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from engine.errors import UsageError
from engine.journal.content import UNKNOWN, Fingerprint
from engine.journal.form import from_json, to_json
from engine.journal.index import Index
from engine.journal.kinds import DONE, FAILED, PHOTO
from engine.journal.lines import dump
from engine.journal.lock import Lock
from engine.journal.numbers import Numbers
from engine.journal.places import Place
from engine.journal.run import Start, now
from engine.journal.writer import Writer
from engine.records import Failure, PhotoRecord
from engine.text.names import renewed

_REPEATED = 100
"""After the first photograph, and then after each so many, a run says again what it is."""


class Journal:
    """A context manager. Made, it only locks and reads; `begin` is the first to write.

        with Journal(out / "journal.jsonl", start) as journal:
            place = journal.find(name)                  # and then journal.read(place)
            journal.see(name)                           # of one that is to be done
            journal.begin()
            journal.append(record)
            journal.finish()

    One thread may find and see photographs while another appends them.

    Args:
        path: of the file; its folder must exist, and is locked.
        start: what is about to run; the time is noted by `begin`.
        fresh: leave aside what is there; `begin` takes it away.
        lock: of the folder, where the caller holds it already.
        above: numbers up to here are kept for those that a list gives.

    Attributes:
        index: what was there before, if anything; without what is added since.

    Raises:
        UsageError: if what is there came from another model or other options, naming them.
        MglmmError: if another process holds the folder, or the journal can't be read.
    """

    def __init__(
        self, path: Path, start: Start, *, fresh: bool = False, lock: Lock | None = None, above: int = 0
    ) -> None:
        self._path = path
        self._start = start
        self._identity = start.info.identity
        self._fresh = fresh
        self._writer: Writer | None = None
        self._described: Start = start
        self._begun = 0
        self._writing = threading.Lock()
        self._in_hand: dict[str, int] = {}  # numbers of those that are seen
        self._to_renew: list[tuple[str, Place, Mapping[str, Any]]] = []
        self.index: Index | None = None
        self._lock = None if lock else Lock(path.parent)
        try:
            if os.path.lexists(path) and not fresh:
                self.index = self._open()
            self._numbers = Numbers(max(above, self.index.largest if self.index else 0))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def find(self, name: str) -> Place | None:
        """What the journal held of a photograph when it was opened."""
        return self.index.find(name) if self.index else None

    def read(self, place: Place) -> PhotoRecord | Failure:
        """What stands at a place that `find` gave."""
        assert self.index is not None  # the place comes from it
        return from_json(self.index.value(place))

    def see(self, name: str, image: Mapping[str, Any] | None = None) -> None:
        """Give a photograph its number, unless it has one; it is written before this returns, or by `begin`.

        Args:
            name: of the photograph.
            image: what its list says of it, its `id` among it.

        Raises:
            MglmmError: if it can't be written, or no number is left.
        """
        name = renewed(name)
        known = self.index.number(name) if self.index else None
        with self._writing:
            if name in self._in_hand:
                return
            self._in_hand[name] = self._numbers.give(image) if known is None else known
            if known is None and self._writer:
                self._note_number(name)

    def renew(self, name: str, place: Place, image: Mapping[str, Any] | None) -> None:
        """Write down what the list says now of a photograph that is done, if that is new, or let `begin` do it."""
        if image is None or not self.index or self.index.value(place).get("image") == image:
            return
        with self._writing:
            self._to_renew.append((name, place, image))
            if self._writer:
                self._renew()

    def begin(self) -> None:
        """Write down that a run begins, or goes on.

        Raises:
            MglmmError: if the journal can't be written.
        """
        if self._fresh:
            self._path.unlink(missing_ok=True)
        with self._writing:
            self._begin()

    def _begin(self) -> None:
        self._writer = Writer(self._path, self.index.end if self.index else 0)
        self._described = replace(self._start, info=replace(self._start.info, started=now()))
        self._begun = self._writer.end
        self._writer.note(self._described.to_json())
        if self.index and self.index.damage:
            self._writer.note({"damaged": self.index.damaged, "offsets": list(self.index.damage.values())})
        for name, number in self.index.unsaid() if self.index else ():
            self._writer.note({"name": name, "number": number})
        for name in self._in_hand:
            self._note_number(name)
        self._renew()
        self._writer.sync()

    def _note_number(self, name: str) -> None:
        assert self._writer is not None
        self._writer.note({"name": name, "number": self._in_hand[name]})

    def _renew(self) -> None:
        """Write the lines of such photographs again; answers and times stay."""
        for name, place, image in self._to_renew:
            assert self.index is not None and self._writer is not None  # the place comes from the index
            head = {**self.index.head(place), "number": self.index.number(name)}
            self._writer.note({**head, "photo": {**self.index.value(place), "image": image}})
        self._to_renew.clear()

    def append(
        self,
        entry: PhotoRecord | Failure,
        *,
        name: str | None = None,
        at: int = 0,
        held: Fingerprint = UNKNOWN,
        path: str | None = None,
        image: Mapping[str, Any] | None = None,
    ) -> None:
        """Add one photograph; it outlives this process from here on.

        One that was not seen gets its number here.

        Args:
            entry: its answers.
            name: to find it by; its file name without one.
            at: its place in the order of the inputs, and so of the outputs.
            held: what its file held.
            path: of its file, as the user gave it.
            image: what its list says of it, its `id` among it.

        Raises:
            MglmmError: if it can't be written; all that was is safe.
            ValueError: if a number of the record is not finite.
        """
        assert self._writer is not None, "begin comes first"
        name = renewed(entry.file_name if name is None else name)
        form = dump(to_json(entry, path, image))
        known = self._in_hand.get(name)
        if known is None and self.index:
            known = self.index.number(name)
        head = {
            "name": name,
            "at": at,
            "content": held.content,
            "stamp": held.stamp,
            "state": FAILED if isinstance(entry, Failure) else DONE,
            "of": self._identity,
            "time": time.time_ns() // 1_000_000,
        }
        with self._writing:
            head["number"] = self._numbers.give(image) if known is None else known
            self._in_hand.pop(name, None)
            self._writer.append(b"%b%b%b}" % (dump(head)[:-1], PHOTO, form))
            if self._writer.written % _REPEATED == 1:
                # The line at the beginning may be damaged, or merged with its neighbour.
                self._writer.note({**self._described.to_json(), "again": self._begun})

    @property
    def durable(self) -> int:
        """How many of the photographs added since `begin` are on the disk."""
        return self._writer.durable if self._writer else 0

    def sync(self) -> None:
        """Bring all that was added to the disk."""
        with self._writing:
            if self._writer:
                self._writer.sync()

    def finish(self) -> None:
        """Write down that all inputs were gone through, and bring all to the disk."""
        assert self._writer is not None, "begin comes first"
        with self._writing:
            self._writer.note({"finished": now()})
            self._writer.sync()

    def close(self) -> None:
        """Bring all to the disk, and let another process have the folder."""
        try:
            if self._writer:
                self._writer.close()
        finally:
            if self.index:
                self.index.close()
            if self._lock:
                self._lock.close()

    def _open(self) -> Index | None:
        """What is there, if this run may go on with it; None if it was torn before it said what it is."""
        index = open_index(self._path)
        if index is None:
            return None
        try:
            different = index.differences(self._start.info)
            if different:
                raise UsageError(
                    f"{self._path.parent} holds a run that is not this one ({'; '.join(different)}): "
                    "--fresh starts over, another output folder keeps both"
                )
        except BaseException:
            index.close()
            raise
        return index


def open_index(path: Path) -> Index | None:
    """What a journal holds that a run can go on with; None if it was torn before it said what it is.

    Raises:
        UsageError, MglmmError: see `Index`, and if no run can go on with it.
        OSError: if it can't be read.
    """
    index = Index(path)
    try:
        if index.blank:
            index.close()
            return None
        index.require_continuable()
    except BaseException:
        index.close()
        raise
    return index
