"""A list that may grow: it is read in a thread of its own, so that who works on its items never waits for the next."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

_Item = TypeVar("_Item")


class Feed(Iterator[_Item], Generic[_Item]):
    """Items of an iterator, read ahead in a thread, in their order.

    To iterate waits for the next item; `take` does not.

    Args:
        items: only the thread asks for them. It is left to itself where it waits for an item that is wanted no more.
        ahead: so many are read before they are taken.
        notify: called from the thread when there is another item, and at the end.

    Attributes:
        ended: all items are taken, and there are no more.
    """

    def __init__(self, items: Iterable[_Item], ahead: int, notify: Callable[[], object] = lambda: None) -> None:
        self._notify = notify
        self._closed = False
        self._error: BaseException | None = None
        self.ended = False
        # Nothing but simple queues: a signal's handler may close the feed while this very thread is inside of one.
        self._read: SimpleQueue[tuple[_Item] | None] = SimpleQueue()
        self._room: SimpleQueue[None] = SimpleQueue()
        for _ in range(ahead):
            self._room.put(None)
        threading.Thread(target=self._run, args=(iter(items),), name="feed", daemon=True).start()

    def take(self, patience: float | None = 0.0) -> _Item | None:
        """The next item; None if there is none after so many seconds (None: however long it takes), or never will be.

        What the iterator raised is an end like any other: see `check`.
        """
        if self.ended or self._closed:
            self.ended = True
            return None
        try:
            found = self._read.get(patience != 0.0, patience)
        except Empty:
            return None
        if found is None or self._closed:
            self.ended = True
            return None
        self._room.put(None)
        return found[0]

    def check(self) -> None:
        """Raise what the iterator raised, if that was its end."""
        if self.ended and self._error is not None:
            raise self._error

    def close(self) -> None:
        """Read no further, and give out nothing any more. May be called in the middle of anything."""
        self._closed = True
        self._room.put(None)
        self._read.put(None)
        self._notify()

    def __next__(self) -> _Item:
        item = self.take(None)
        if item is None:
            self.check()
            raise StopIteration
        return item

    def _run(self, items: Iterator[_Item]) -> None:
        try:
            while self._room.get() is None and not self._closed:
                self._read.put((next(items),))
                self._notify()
        except StopIteration:
            pass
        except BaseException as error:  # for the thread that takes the items
            self._error = error
        self._read.put(None)
        self._notify()
