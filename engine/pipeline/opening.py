"""Photographs on their way in: named by a list that may grow, opened in threads ahead of the model, kept in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Self, TypeVar

from engine.errors import PhotographError
from engine.images.sources import InMemory, Source
from engine.images.transforms import Views
from engine.pipeline.feed import Feed
from engine.pipeline.threads import Threads
from engine.pipeline.trouble import OutOfMemory, photograph_error

_Photograph = TypeVar("_Photograph", bound=Source | InMemory)

_THREADS = 2
_PATIENCE = 0.1
"""Seconds in which a list that is all there gives the next name. One that takes longer is not waited for again until
it has given one."""


@dataclass(frozen=True, slots=True)
class Arrived(Generic[_Photograph]):
    """A photograph, or why there is none.

    Attributes:
        number: its place in the line.
        source: where it came from.
        views: of it.
    """

    number: int
    source: _Photograph
    views: Views | PhotographError


class Opening(Generic[_Photograph]):
    """Opens photographs in threads; a context manager.

    Args:
        sources: read in a thread of their own.
        read: opens one; called in threads.
        ahead: so many are opened before they are taken.
        notify: called from threads whenever there may be something to take.

    Attributes:
        number: of the next photograph.
        held: the next photograph did not fit into memory beside what else is in hand. Until `reopen` has tried it
            alone, none is given out.
    """

    def __init__(
        self,
        sources: Iterable[_Photograph],
        read: Callable[[_Photograph], Views],
        ahead: int,
        notify: Callable[[], object],
    ) -> None:
        self._read, self._notify = read, notify
        self._pool = Threads(_THREADS, "decode")
        self._flying: set[Future[Views | PhotographError]] = set()
        self._hasty = True
        self._unfit: _Photograph | None = None
        self.number = 0
        self._feed = Feed(map(self._begin, sources), ahead, notify)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._feed.close()
        self._pool.shutdown(cancel_futures=True)

    @property
    def ended(self) -> bool:
        """Whether all photographs were taken.

        Raises:
            Exception: what reading the list has raised.
        """
        if self._feed.ended:
            self._feed.check()
        return self._feed.ended and not self.held

    @property
    def held(self) -> bool:
        return self._unfit is not None

    def take(self) -> Arrived[_Photograph] | None:
        """The next photograph, waited for if the list has named it; None if it has not, or none will come."""
        if self.held:
            return None
        # A short while: so that a list that is all there gives the same batches each time, and full ones.
        named = self._feed.take() or (self._feed.take(_PATIENCE) if self._hasty else None)
        self._hasty = named is not None
        if named is None:
            return None
        source, future = named
        views = future.result()
        if isinstance(views, OutOfMemory):
            self._unfit = source
            return None
        return self._arrived(source, views)

    def settle(self) -> None:
        """Wait until none is being opened; those that are ahead are enough then, until one is taken."""
        wait(tuple(self._flying))

    def reopen(self) -> Arrived[_Photograph]:
        """Try the photograph that is held once more; one that does not fit now never will."""
        assert self._unfit is not None
        source, self._unfit = self._unfit, None
        return self._arrived(source, self._open(source))

    def _arrived(self, source: _Photograph, views: Views | PhotographError) -> Arrived[_Photograph]:
        self.number += 1
        return Arrived(self.number - 1, source, views)

    def _begin(self, source: _Photograph) -> tuple[_Photograph, Future[Views | PhotographError]]:
        future = self._pool.submit(self._open, source)
        self._flying.add(future)
        future.add_done_callback(self._land)
        return source, future

    def _land(self, future: Future[Views | PhotographError]) -> None:
        self._flying.discard(future)
        self._notify()

    def _open(self, source: _Photograph) -> Views | PhotographError:
        try:
            return self._read(source)
        except Exception as error:
            return photograph_error("decode", error)
