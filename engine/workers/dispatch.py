"""Photographs out to the worker processes as they ask for them, outcomes back as they come or in input order.

The process that asks gets the next photograph, so each has what it can do. Where the order counts, outcomes wait for
those before them, but never more than a window of photographs is on its way: a slow process slows the others down
rather than fill the memory.

A process may die, and with it what it had in hand. Which photograph was to blame nobody knows: they are suspects, and
each is tried again in a process that has nothing else in hand, so that a second death names the one.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from typing import TYPE_CHECKING

from engine.errors import MglmmError
from engine.pipeline.feed import Feed
from engine.records import Failure, PhotoRecord
from engine.workers.process import Failed, Message, Seat, Sign, Task, listen

if TYPE_CHECKING:
    from engine.images.sources import Source
    from engine.pipeline.finishing import Outcome

_AHEAD = 4
"""Sources that are read before a process asks for them."""
_REPLACEMENTS = 2
"""Processes that may follow each other on a device without a single result between them."""
_DEATHS = 2
"""Processes that a photograph may take along."""

_log = logging.getLogger(__name__)


class Dispatch:
    """One run over some photographs.

    Args:
        seats: of the processes; they have nothing in hand.
        sources: read as they are needed, in a thread of their own.
        window: photographs that may be on their way.
        in_order: outcomes come in the order of the sources; otherwise at once.
    """

    def __init__(self, seats: Sequence[Seat], sources: Iterator[Source], window: int, *, in_order: bool) -> None:
        self._seats = seats
        # Rung by the thread that reads the sources: this one waits for it and for the processes at once.
        self._ear, self._bell = Pipe(duplex=False)
        self._feed = Feed(sources, _AHEAD, self._ring)
        self._window = window - _AHEAD
        self._in_order = in_order
        self._taken = self._given_back = 0
        self._suspects: deque[Task] = deque()
        self._waiting: dict[int, Outcome] = {}

    def outcomes(self) -> Iterator[Outcome]:
        """One outcome per source.

        Raises:
            MglmmError: if no process is left.
            RuntimeError: for a bug in a process, with its traceback.
        """
        try:
            while True:
                self._hand_out()
                following = self._given_back if self._in_order else next(iter(self._waiting), None)
                if following in self._waiting:
                    outcome = self._waiting.pop(following)
                    self._given_back += 1
                    yield outcome
                elif self._feed.ended and self._given_back == self._taken:
                    self._feed.check()
                    return
                else:
                    for seat, message in listen(self._seats, [self._ear]):
                        self._handle(seat, message)
                    while self._ear.poll():
                        self._ear.recv_bytes()
        finally:
            self._feed.close()
            self._ear.close()

    def _hand_out(self) -> None:
        """Give each process what it asks for, as far as it is there."""
        for seat in self._seats:
            while seat.wants and (task := self._next(seat)) is not None:
                seat.give(task)

    def _ring(self) -> None:
        # Nobody hears it when the run is over.
        with suppress(OSError):
            self._bell.send_bytes(b".")

    def _next(self, seat: Seat) -> Task | None:
        if self._suspects and not seat.tasks:
            return self._suspects.popleft()
        if self._taken - self._given_back >= self._window or (source := self._feed.take()) is None:
            return None
        self._taken += 1
        return Task(self._taken - 1, source)

    def _handle(self, seat: Seat, message: Message) -> None:
        if isinstance(message, Sign):
            seat.heard(message)
        elif isinstance(message, PhotoRecord | Failure):
            task = seat.finished()
            self._waiting[task.index] = task.source, message
        elif isinstance(message, Failed):
            self._give_up(seat, message)
        else:
            self._replace(seat)

    def _replace(self, seat: Seat) -> None:
        """A process has died: another takes its seat, and its photographs are tried again."""
        how = seat.bury()
        _log.warning(
            "the process on %s died (%s); %d photographs are tried again", seat.job.device, how, len(seat.tasks)
        )
        for task in seat.tasks:
            task.deaths += 1
            if task.deaths < _DEATHS:
                self._suspects.append(task)
            else:
                reason = f"the process that worked on it died, and so did the one after it ({how})"
                self._waiting[task.index] = task.source, Failure(task.source.file_name, "model", reason)
        seat.tasks.clear()
        seat.losses += 1
        if seat.losses <= _REPLACEMENTS:
            seat.start()
        else:
            self._leave(seat, MglmmError(f"{seat.job.device}: one process after the other died, the last {how}"))

    def _give_up(self, seat: Seat, failed: Failed) -> None:
        if seat.ready or failed.error is None:
            raise failure(seat, failed)
        # It was to take the place of one that died, and can't.
        seat.close()
        self._leave(seat, failed.error)

    def _leave(self, seat: Seat, error: Exception) -> None:
        """Go on without this seat, if there is another."""
        if not any(other.alive for other in self._seats):
            raise error
        _log.warning("going on without %s: %s", seat.job.device, error)


def failure(seat: Seat, failed: Failed) -> Exception:
    """What to raise here for what was raised in the process."""
    return failed.error or RuntimeError(f"a bug in the process on {seat.job.device}:\n{failed.trace}")
