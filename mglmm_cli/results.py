"""Where the answers of `mglmm segcap` go: a folder, or a stream of JSON lines."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from engine.images.decode import decode
from engine.images.sources import Source
from engine.journal import JournalWriter, RunInfo, to_line
from engine.records import Failure, PhotoRecord
from exporters.coco import write_coco
from exporters.overlay import overlay_path, write_overlay

_JOURNAL, _COCO, _FAILURES = "journal.jsonl", "segcap.json", "failures.jsonl"
_OVERLAY_THREADS = 2
_OVERLAYS_WAITING = 8


class Results(Protocol):
    """A context manager that takes photographs in the order in which they were done."""

    where: str
    """For the closing line: where the results are."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def add(self, source: Source, entry: PhotoRecord | Failure) -> None:
        """Take one photograph."""


class StreamResults:
    """A JSON line per photograph, handed on at once."""

    where = ""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def add(self, source: Source, entry: PhotoRecord | Failure) -> None:
        self._stream.write(to_line(entry).encode("ascii"))
        self._stream.flush()


class FolderResults:
    """A folder with the journal, the failures, overlays if asked for, and at the end the COCO file.

    Args:
        folder: made if it is not there; must hold no journal.
        info: what is about to run.
        overlay: draw a picture per photograph.
    """

    def __init__(self, folder: Path, info: RunInfo, *, overlay: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.where = str(folder / _COCO)
        self._folder = folder
        self._info = info
        self._journal = JournalWriter(folder / _JOURNAL, info)
        self._overlays = _Overlays(folder) if overlay else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._journal.__exit__(kind, error, trace)
        if self._overlays:
            self._overlays.close(cancel=kind is not None)
        if kind is None:
            write_coco(self._folder / _JOURNAL, self._folder / _COCO, replace(self._info, finished=now()))

    def add(self, source: Source, entry: PhotoRecord | Failure) -> None:
        self._journal.append(entry)
        if isinstance(entry, Failure):
            with (self._folder / _FAILURES).open("ab") as file:
                file.write(to_line(entry).encode("ascii"))
        elif self._overlays:
            self._overlays.add(source, entry)


class _Overlays:
    """Draws in threads; waits when too many pictures are pending, so that memory stays bounded."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pool = ThreadPoolExecutor(_OVERLAY_THREADS, thread_name_prefix="overlay")
        self._pending: deque[Future[None]] = deque()

    def add(self, source: Source, record: PhotoRecord) -> None:
        while len(self._pending) >= _OVERLAYS_WAITING:
            self._pending.popleft().result()
        self._pending.append(self._pool.submit(self._draw, source, record))

    def close(self, *, cancel: bool) -> None:
        """Wait for the last pictures, or drop them."""
        self._pool.shutdown(cancel_futures=cancel)
        while self._pending and not cancel:
            self._pending.popleft().result()

    def _draw(self, source: Source, record: PhotoRecord) -> None:
        write_overlay(overlay_path(self._folder, record.file_name), decode(source.path), record)


def now() -> str:
    """The time, as a run's info has it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
