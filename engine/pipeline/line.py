"""One run: photographs go from the list through the model to their records, each part as full as what is there allows.

What is in hand goes on however long the list takes to name the next photograph. Where memory runs out, what did not fit
is tried again with nothing beside it, and fewer photographs are in the model at a time from then on.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Generic, TypeVar

from engine.errors import PhotographError
from engine.images.sources import InMemory, Source
from engine.images.transforms import Views
from engine.pipeline.answering import Answered
from engine.pipeline.finishing import Finishing
from engine.pipeline.opening import Arrived, Opening
from engine.pipeline.scheduling import Opened, Questions, Scheduler
from engine.records import Failure, PhotoRecord
from engine.timing import Stages

_Photograph = TypeVar("_Photograph", bound=Source | InMemory)


class Line(Generic[_Photograph]):
    """A run over some photographs.

    Args:
        sources: read in a thread of their own.
        read: opens a photograph; called in threads.
        ask: says what is asked about it.
        scheduler: of the model.
        record: makes a photograph's record of its answers; called in threads.
        ahead: so many photographs may wait for the model, and so many may leave it before they leave the line.
        in_order: they leave in the order in which they came; otherwise as soon as they are done.
        stages: where time is noted.
    """

    def __init__(
        self,
        sources: Iterable[_Photograph],
        read: Callable[[_Photograph], Views],
        ask: Callable[[_Photograph], Questions],
        scheduler: Scheduler,
        record: Callable[[_Photograph, Views, list[Answered]], PhotoRecord],
        *,
        ahead: int,
        in_order: bool,
        stages: Stages,
    ) -> None:
        self._scheduler, self._ask = scheduler, ask
        self._record = record
        self._stages = stages
        self._came = threading.Event()  # set by all threads that work for this one
        self._inside: dict[int, Arrived[_Photograph]] = {}
        self._finishing: Finishing[_Photograph] = Finishing(ahead, in_order=in_order, notify=self._came.set)
        self._opening = Opening(sources, read, ahead, self._came.set)

    def outcomes(self) -> Iterator[tuple[_Photograph, PhotoRecord | Failure]]:
        """One outcome per source."""
        with self._finishing, self._opening:
            while True:
                self._came.clear()
                moved = self._move()
                for outcome in self._finishing.leaving():
                    moved = True
                    yield outcome
                if moved or self._held:
                    continue
                if self._finishing.empty and self._opening.ended:
                    return
                with self._stages.measure("wait"):
                    self._came.wait()

    @property
    def _held(self) -> bool:
        return self._opening.held or self._finishing.held

    def _move(self) -> bool:
        """One round of the model with what is there; whether anything came of it."""
        before = self._opening.number
        if not self._held:
            new = self._new()
        elif self._scheduler.busy:
            new = []  # what did not fit beside the others gets the memory for itself
        else:
            new = self._again()
        if not (new or self._scheduler.busy):
            return self._opening.number != before
        self._inside |= {photograph.number: photograph for photograph in new}
        for number, answers in self._scheduler.work([self._to_model(photograph) for photograph in new]):
            self._finish(self._inside.pop(number), answers)
        if self._scheduler.short:  # perhaps for what the threads took
            self._opening.settle()
            self._finishing.settle()
        return True

    def _new(self) -> list[Arrived[_Photograph]]:
        """Photographs for which there is room, as far as they are there."""
        new: list[Arrived[_Photograph]] = []
        room, furthest = self._scheduler.room(), self._scheduler.furthest(self._opening.number)
        if room:
            with self._stages.measure("wait"):
                while len(new) < room and self._opening.number <= furthest and (photograph := self._opening.take()):
                    new += self._sound(photograph)
        return new

    def _again(self) -> list[Arrived[_Photograph]]:
        """Try what is held, with nothing beside it; where it fits, there was too much in the model before."""
        self._opening.settle()
        self._finishing.settle()
        if self._finishing.held:
            if self._finishing.retry():
                self._scheduler.shrink()
            return []
        new = self._sound(self._opening.reopen())
        if new:
            self._scheduler.shrink()
        return new

    def _sound(self, photograph: Arrived[_Photograph]) -> list[Arrived[_Photograph]]:
        """The photograph, if it could be opened."""
        if isinstance(photograph.views, PhotographError):
            self._finishing.fail(photograph.number, photograph.source, photograph.views)
            return []
        return [photograph]

    def _finish(self, photograph: Arrived[_Photograph], answers: list[Answered] | PhotographError) -> None:
        source, views = photograph.source, photograph.views
        if isinstance(answers, PhotographError):
            self._finishing.fail(photograph.number, source, answers)
        else:
            assert isinstance(views, Views)  # the model saw it
            self._finishing.add(photograph.number, source, partial(self._record, source, views, answers))

    def _to_model(self, photograph: Arrived[_Photograph]) -> Opened:
        assert isinstance(photograph.views, Views)
        draw = zlib.crc32(photograph.source.file_name.encode("utf-8", "surrogateescape"))
        return Opened(photograph.number, photograph.views, self._ask(photograph.source), draw)
