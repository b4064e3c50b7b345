"""What a run reports: OUT/log.jsonl, TensorBoard, and a live table on a terminal or plain lines elsewhere."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from engine.atomic import replacing
from engine.json_file import parse_json

LOG, TENSORBOARD = "log.jsonl", "tensorboard"
_EVERY = 10
"""Steps between entries of the log; each of the first ones and the last has one too."""
_NAMED = 3
"""Conversations that are left out."""
_WINDOW = 50
"""Steps that the speed is taken from."""


class Progress:
    """Reports of the main process; others stay silent.

    Args:
        out: the run's folder.
        steps: of the whole run.
        first: steps that were done before; later entries of the log are dropped, their steps come again.
        speaks: whether this is the main process.
    """

    def __init__(self, out: Path, steps: int, first: int, *, speaks: bool) -> None:
        self._steps, self._speaks = steps, speaks
        self._log = out / LOG
        self._began = time.monotonic()
        self._times: list[float] = [self._began]
        self._now: dict[str, str] = {}
        self._validated: dict[str, str] = {}
        self._left_out: set[str] = set()
        self._board: Any = None
        self._live: Live | None = None
        if speaks:
            for path in (self._log, out / "samples.jsonl"):
                _forget(path, first)
            self._board = _board(out / TENSORBOARD, first)
            if sys.stderr.isatty():
                self._live = Live(console=Console(stderr=True), get_renderable=self._table, refresh_per_second=2)

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if len(self._left_out) > _NAMED:
            self.note(f"left out for the same reason in this run: {len(self._left_out):,} conversations")
        if self._live:
            self._live.stop()
        if self._board:
            self._board.close()

    def step(self, done: int, losses: Mapping[str, float], rate: float) -> None:
        """A step was made.

        Args:
            done: steps so far.
            losses: of the step.
            rate: learning rate.
        """
        if not self._speaks:
            return
        self._times = [*self._times[-_WINDOW:], time.monotonic()]
        self._now = {name: f"{value:.3f}" for name, value in losses.items()} | {"lr": f"{rate:.2e}"}
        if done % _EVERY == 0 or done < _EVERY or done == self._steps:
            self._write(done, losses)
            self._draw("train", done, {**losses, "lr": rate})
            if not self._live:
                _line(f"step {done}/{self._steps}  {_words(self._now)}  {self._speed(done)}")

    def note(self, line: str) -> None:
        """Say something that is no number."""
        if not self._speaks:
            return
        if self._live:
            self._live.console.print(Text(line), soft_wrap=True)
        else:
            _line(line)

    def left_out(self, names: Iterable[str]) -> None:
        """Conversations were left out; the first are named, and how many they were is said at the end."""
        for name in names:
            if name not in self._left_out and len(self._left_out) < _NAMED:
                self.note(f"left out, since the model has no positions for so many tokens: {name[:200]}")
            self._left_out.add(name)

    def validated(self, done: int, numbers: Mapping[str, float], best: bool) -> None:
        """A validation was made.

        Args:
            done: steps so far.
            numbers: what was measured.
            best: whether the model is the best so far.
        """
        if not self._speaks:
            return
        self._write(done, {f"val_{name}": value for name, value in numbers.items()})
        self._draw("val", done, numbers)
        self._validated = {name: f"{value:.3f}" for name, value in numbers.items()}
        if not self._live:
            _line(f"step {done}/{self._steps}  val: {_words(self._validated)}{'  best so far' if best else ''}")

    def _write(self, done: int, numbers: Mapping[str, float]) -> None:
        finite = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
        entry = {"step": done, "seconds": round(time.monotonic() - self._began, 1), **finite}
        with self._log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")

    def _draw(self, what: str, done: int, numbers: Mapping[str, float]) -> None:
        for name, value in numbers.items():
            self._board.add_scalar(f"{what}/{name}", value, done)

    def _speed(self, done: int) -> str:
        each = (self._times[-1] - self._times[0]) / max(1, len(self._times) - 1)
        left = (self._steps - done) * each
        return f"{each:.2f} s a step, {left / 3600:.1f} h left"

    def _table(self) -> Table:
        table = Table(title="training", title_justify="left")
        table.add_column("")
        for name in self._now or {"": ""}:
            table.add_column(name, justify="right")
        table.add_row("train", *self._now.values())
        if self._validated:
            table.add_row("val", *(self._validated.get(name, "") for name in self._now))
            table.caption = f"val IoU {self._validated.get('iou', '')}"
        return table


def _words(numbers: Mapping[str, str]) -> str:
    return " ".join(f"{name} {value}" for name, value in numbers.items())


def _line(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _board(folder: Path, first: int) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=first + 1 if first else None)


def _forget(path: Path, first: int) -> None:
    """Drop the lines of steps after `first`; a line that was cut off goes as well."""
    if not path.is_file():
        return
    kept = []
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            if parse_json(line)["step"] <= first:
                kept.append(line.rstrip(b"\n") + b"\n")
        except (ValueError, KeyError, TypeError):
            continue
    with replacing(path) as file:
        file.write(b"".join(kept))
