"""A plain bar on stderr, for work that is counted and has no more to say."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LINE_EVERY = 10.0  # seconds between plain lines

Advance = Callable[..., None]
"""Called with how many more are done, one by default, and how many there are in all, if that is known."""


@contextmanager
def bar(unit: str, *, scaled: bool = False) -> Iterator[Advance]:
    """Show what is done: a bar on a terminal, gone in the end; elsewhere a plain line every ten seconds.

    Args:
        unit: what is counted, with the space before it if it needs one.
        scaled: write large numbers as 1.2k, 3.4M.
    """
    from tqdm import tqdm

    def number(value: int) -> str:
        return f"{tqdm.format_sizeof(value) if scaled else value}{unit}"

    # Without a terminal it draws nothing.
    with tqdm(unit=unit, unit_scale=scaled, leave=False, dynamic_ncols=True, disable=None) as shown:
        done, last = 0, time.monotonic()

        def advance(more: int = 1, total: int | None = None) -> None:
            nonlocal done, last
            shown.total = total
            shown.update(more)
            done += more
            if shown.disable and time.monotonic() - last >= _LINE_EVERY:
                last = time.monotonic()
                of = "" if total is None else f" of {number(total)}"
                print(f"{number(done)}{of}", file=sys.stderr, flush=True)

        yield advance
