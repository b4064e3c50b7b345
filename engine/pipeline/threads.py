"""A few threads for what one of them does to a photograph."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from engine.memory import out_of_memory

_Made = TypeVar("_Made")


class Threads(ThreadPoolExecutor):
    """Where no thread can be started, as memory is short, the work is done by who hands it over."""

    def submit(self, work: Callable[..., _Made], /, *args: Any, **more: Any) -> Future[_Made]:
        """Have work done that raises nothing."""
        try:
            return super().submit(work, *args, **more)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
        done: Future[_Made] = Future()
        done.set_result(work(*args, **more))
        return done
