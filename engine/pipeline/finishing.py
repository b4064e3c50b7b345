"""Photographs on their way out: their masks are made in threads, and they leave as they are done or in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Self, TypeVar

from engine.errors import PhotographError
from engine.images.sources import InMemory, Source
from engine.pipeline.threads import Threads
from engine.pipeline.trouble import OutOfMemory, photograph_error
from engine.records import Failure, PhotoRecord

_THREADS = 2

Outcome = tuple[Source, PhotoRecord | Failure]
_Photograph = TypeVar("_Photograph", bound=Source | InMemory)
_Made = PhotoRecord | Failure | OutOfMemory


@dataclass(slots=True)
class _Leaving(Generic[_Photograph]):
    """A photograph whose answers are there, or the error that it has instead.

    Attributes:
        source: where it came from.
        make: its record.
        made: what came of that; one that did not fit into memory is held.
    """

    source: _Photograph
    make: Callable[[], PhotoRecord] | None
    made: Future[_Made] | _Made

    @property
    def done(self) -> PhotoRecord | Failure | None:
        """What leaves; None if there is nothing yet."""
        if isinstance(self.made, Future) and self.made.done():
            self.made = self.made.result()
        return self.made if isinstance(self.made, PhotoRecord | Failure) else None

    @property
    def held(self) -> bool:
        return self.done is None and isinstance(self.made, OutOfMemory)


class Finishing(Generic[_Photograph]):
    """Makes records in threads; a context manager.

    Args:
        pending: so many may be in hand; beyond, the oldest is waited for.
        in_order: they leave in the order of their numbers, which have no gap; otherwise as soon as they are done.
        notify: called from threads whenever one is done.
    """

    def __init__(self, pending: int, *, in_order: bool, notify: Callable[[], object]) -> None:
        self._pending, self._in_order, self._notify = pending, in_order, notify
        self._pool = Threads(_THREADS, "finish")
        self._inside: dict[int, _Leaving[_Photograph]] = {}
        self._left = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    @property
    def empty(self) -> bool:
        """Whether all have left."""
        return not self._inside

    @property
    def held(self) -> bool:
        """Whether one did not fit into memory beside what else is in hand, and waits for `retry`."""
        return any(entry.held for entry in self._inside.values())

    def add(self, number: int, source: _Photograph, make: Callable[[], PhotoRecord]) -> None:
        """A photograph whose record is to be made."""
        future = self._pool.submit(_made, source, make)
        self._inside[number] = _Leaving(source, make, future)
        future.add_done_callback(lambda _: self._notify())

    def fail(self, number: int, source: _Photograph, error: PhotographError) -> None:
        """A photograph that can't be done."""
        self._inside[number] = _Leaving(source, None, _failure(source, error))

    def leaving(self) -> Iterator[tuple[_Photograph, PhotoRecord | Failure]]:
        """Those that can leave now."""
        while (number := self._next()) is not None:
            entry = self._inside.pop(number)
            self._left = number + 1
            assert entry.done is not None
            yield entry.source, entry.done

    def settle(self) -> None:
        """Wait until none is being made."""
        wait([entry.made for entry in self._inside.values() if isinstance(entry.made, Future)])

    def retry(self) -> bool:
        """Make the records that are held once more, one by one; those that do not fit now never will.

        Returns:
            whether one has come out this time.
        """
        came = False
        for entry in self._inside.values():
            if entry.held and entry.make:
                made = _made(entry.source, entry.make)
                came |= isinstance(made, PhotoRecord)
                entry.made = _failure(entry.source, made) if isinstance(made, OutOfMemory) else made
        return came

    def _next(self) -> int | None:
        """The number of one that can leave."""
        may = list(self._inside) if not self._in_order else [self._left] if self._left in self._inside else []
        if len(self._inside) > self._pending and may:
            oldest = self._inside[min(may)].made
            if isinstance(oldest, Future):
                oldest.result()
        return next((number for number in may if self._inside[number].done), None)


def _made(source: Source | InMemory, make: Callable[[], PhotoRecord]) -> _Made:
    try:
        return make()
    except Exception as error:
        trouble = photograph_error("masks", error)
        return trouble if isinstance(trouble, OutOfMemory) else _failure(source, trouble)


def _failure(source: Source | InMemory, error: PhotographError) -> Failure:
    return Failure(source.file_name, error.stage, error.reason)
