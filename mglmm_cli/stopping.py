"""Ctrl-C, SIGTERM and SIGHUP while a run goes on: the first asks it to stop, the second ends it at once.

Ctrl-C at any other time ends the program.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

from engine.pipeline.feed import Feed
from mglmm_cli.codes import Exit
from mglmm_cli.streams import write_progress

_Item = TypeVar("_Item")
_IMPORTING = "<frozen importlib"
_HANG_UP = getattr(signal, "SIGHUP", None)
"""The terminal is gone; Windows has none of that."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, *([_HANG_UP] if _HANG_UP else []))


def interruptible() -> None:
    """From here on, Ctrl-C in the middle of an import ends the process: libraries that are being loaded may not bear an
    exception, and abort. Anywhere else it raises KeyboardInterrupt, as ever."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    while frame is not None:
        if frame.f_code.co_filename.startswith(_IMPORTING):
            write_progress(b"mglmm: interrupted\n")
            os._exit(Exit.INTERRUPTED)
        frame = frame.f_back
    raise KeyboardInterrupt


class Stop(BaseException):
    """End at once. Not an `Exception`: nothing on the way may take it for a failure of its own."""


class Stopping:
    """Takes the signals inside its `with` block.

    Args:
        notify: called once, when the first of them comes, in the middle of whatever goes on; not where that ends the
            run at once.
    """

    def __init__(self, notify: Callable[[], object]) -> None:
        self._notify = notify
        self._received: int | None = None
        self._at_once = False
        self._feed: Feed[Any] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            # As `nohup` wants it.
            if number == _HANG_UP and signal.getsignal(number) is signal.SIG_IGN:
                continue
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def code(self) -> Exit | None:
        """The exit code that the signal asks for; None while there was none."""
        return None if self._received is None else Exit(128 + self._received)

    def until_asked(self, items: Iterator[_Item]) -> Iterator[_Item]:
        """What comes, until it is asked to stop; whoever waits for the next one then, in any thread, is let go."""
        # Read in a thread: a signal ends the wait for it, not the read itself.
        self._feed = Feed(items, 1)
        if self._received is not None:
            self._feed.close()
        return self._feed

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Inside, the first signal ends it at once, as `Stop`."""
        self._at_once = True
        try:
            if self._received is not None:
                raise Stop
            yield
        finally:
            self._at_once = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._received is not None:
            if number == _HANG_UP:
                return  # a terminal that goes sends several
            # A third is for the system.
            signal.signal(number, signal.SIG_DFL)
            raise Stop
        self._received = number
        if self._feed:
            self._feed.close()
        if self._at_once:
            raise Stop
        self._notify()
