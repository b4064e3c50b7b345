"""What people see: progress on stderr, grounded phrases in colour."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.color import Color
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.style import Style
from rich.text import Text

from engine.records import SegCap
from exporters.panel import colour_of, phrase_numbers
from mglmm_cli.text import clean

_LINE_EVERY = 10.0  # seconds between plain lines
_UNIT = "photographs"


class _Column(ProgressColumn):
    """Words that the progress itself knows."""

    def __init__(self, words: Callable[[], str]) -> None:
        super().__init__()
        self._words = words

    def render(self, task: Task) -> Text:
        return Text(self._words())


class PhotoProgress:
    """Progress through photographs: a bar on a terminal, a plain line every ten seconds otherwise.

    Args:
        bar: allow the bar; without it, plain lines are written on a terminal too.

    Attributes:
        done: photographs of this run.
        skipped: photographs that were done before.
        failed: those of `done` that could not be.
    """

    def __init__(self, *, bar: bool = True) -> None:
        self._total: int | None = None
        self.done = self.skipped = self.failed = 0
        self._started = self._last_line = time.monotonic()
        self._bar: Progress | None = None
        if bar and sys.stderr.isatty():
            self._bar = Progress(
                TextColumn(_UNIT),
                BarColumn(),
                MofNCompleteColumn(),
                # Both since the start of this run: photographs come in batches, and those done before in no time.
                _Column(lambda: f"{self.rate:.2f}/s"),
                _Column(lambda: f"{self._left()} left" if self.done and self._total is not None else ""),
                console=Console(stderr=True),
                # stdout may be a pipe that carries the results.
                redirect_stdout=False,
            )
            self._task = self._bar.add_task(_UNIT, total=None)

    def __enter__(self) -> Self:
        self._started = self._last_line = time.monotonic()
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def expect(self, total: int) -> None:
        """Tell how many photographs there are, once that is known; callable from any thread."""
        self._total = total
        if self._bar:
            self._bar.update(self._task, total=total)

    def reach(self, done: int, skipped: int = 0) -> None:
        """Tell how many photographs this run has done so far, and how many were done before."""
        self.done, self.skipped = done, skipped
        if self._bar:
            self._bar.update(self._task, completed=done + skipped)
        elif time.monotonic() - self._last_line >= _LINE_EVERY:
            self._last_line = time.monotonic()
            self.note(self._line())

    def advance(self) -> None:
        """Count one photograph."""
        self.reach(self.done + 1, self.skipped)

    def note(self, line: str) -> None:
        """Print a line, above the bar if there is one."""
        if self._bar:
            self._bar.console.print(Text(clean(line)), soft_wrap=True)
        else:
            print(clean(line), file=sys.stderr, flush=True)

    @property
    def rate(self) -> float:
        """Photographs per second since the start."""
        return self.done / max(time.monotonic() - self._started, 1e-9)

    def _line(self) -> str:
        done = self.done + self.skipped
        if self._total is None:
            return f"{done} {_UNIT}, {self.rate:.2f} per second"
        return f"{done}/{self._total} {_UNIT}, {self.rate:.2f} per second, {self._left()} left"

    def _left(self) -> str:
        assert self._total is not None
        return duration((self._total - self.done - self.skipped) / max(self.rate, 1e-9))


def duration(seconds: float) -> str:
    """Seconds as `2 h 5 min`, `3 min 20 s` or `12 s`."""
    whole = max(0, round(seconds))
    hours, minutes = whole // 3600, whole % 3600 // 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


def print_answer(segcap: SegCap) -> None:
    """Print a caption on stdout; on a terminal, phrases that have a mask are in the colours of the overlay."""
    text = Text(clean(segcap.answer.caption))
    for index, number in phrase_numbers(segcap).items():
        phrase = segcap.answer.phrases[index]
        style = Style(color=Color.from_rgb(*colour_of(number)), bold=True)
        text.stylize(style, phrase.span.start, phrase.span.end)
    Console(highlight=False).print(text, soft_wrap=True)
