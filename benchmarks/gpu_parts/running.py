"""Parts of a measurement one after the other, each in a process of its own, none longer than its time.

A part that dies, hangs or spoils the device takes no other along, and what it had found is kept: it says everything at
once, and the report is written anew each time, as a whole.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import math
import multiprocessing
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from benchmarks.gpu_parts.plan import Plan
from engine.atomic import replacing

STAND_INS = Path(__file__).resolve().parents[1] / "standins"
_OURS = ("benchmarks", "engine", "exporters", "mglmm_cli", "trainer")
_LEAST = 10.0
"""Seconds under which no part is begun: the imports alone take some."""
_PATIENCE = 10.0  # seconds for a process to be gone
_LONGEST = 300  # characters of a line
_FRAMES = 10  # of a traceback


class LeftOut(Exception):
    """A part or a step of it is not done, for this reason."""


@dataclass(frozen=True, slots=True)
class Part:
    """Something that is checked or measured.

    Attributes:
        name: in the report.
        function: `module:name` of what does it; takes the plan, the notes, and the figures of earlier parts by name.
        needs: modules without which it can't.
        seconds: it gets no more.
    """

    name: str
    function: str
    needs: tuple[str, ...]
    seconds: float


class Notes:
    """Where a part says what it finds, as soon as it does.

    Args:
        say: takes what kind of thing it is, its name, and JSON.
        seconds: that are left to the part.
    """

    def __init__(self, say: Callable[[str, str, Any], None], seconds: float) -> None:
        self._say = say
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self._end - time.monotonic()

    def figure(self, name: str, value: Any) -> None:
        """A number, or a table of numbers."""
        self._say("figures", name, value)

    def check(self, name: str, right: bool, line: str) -> None:
        """What must be so, and what was found."""
        self._say("checks", name, {"right": bool(right), "line": line})

    def skip(self, name: str, reason: str) -> None:
        """A step of the part that is left out."""
        self._say("left_out", name, reason)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A step whose failure is a wrong result, and leaves the other steps alone."""
        begin = time.monotonic()
        try:
            yield
        except Exception as error:
            if (reason := _left_out(error)) is not None:
                self.skip(name, reason)
                return
            self.check(name, False, _line(error))
            self.figure(f"{name}: traceback", traceback.format_exc(limit=-_FRAMES))
        self.figure(f"{name}: seconds", time.monotonic() - begin)

    def enough(self, seconds: float) -> None:
        """Go on only with so much time left.

        Raises:
            LeftOut: if there is less.
        """
        if self.left < seconds:
            raise LeftOut(f"no time left: {self.left:.0f} of {seconds:.0f} s")


@dataclass(slots=True)
class Found:
    """What came of a part.

    Attributes:
        status: `done`; `skipped`; `cut` when the time of all was up; `stopped` when its own was, as it hangs; `died`.
        reason: of another status than `done`.
        checks: by name, each with `right` and `line`.
    """

    status: str = "done"
    reason: str = ""
    seconds: float = 0.0
    checks: dict[str, dict[str, Any]] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def wrong(self) -> list[str]:
        """What is not as it must be."""
        found = [f"{name}: {check['line']}" for name, check in self.checks.items() if not check["right"]]
        return found + ([f"{self.status}: {self.reason}"] if self.status in ("died", "stopped") else [])


@dataclass(slots=True)
class Report:
    """All that is found, and where it is written."""

    plan: Plan
    about: Mapping[str, Any]
    out: Path | None
    parts: dict[str, Found] = field(default_factory=dict)

    @property
    def wrong(self) -> list[str]:
        """What is not as it must be, with the name of its part."""
        return [f"{name}: {line}" for name, found in self.parts.items() for line in found.wrong]

    def to_json(self) -> dict[str, Any]:
        """Everything."""
        parts = {name: asdict(found) for name, found in self.parts.items()}
        return {**self.about, "wrong": self.wrong, "parts": parts, "plan": asdict(self.plan)}

    def write(self) -> None:
        """Write it as a whole."""
        if self.out is not None:
            with replacing(self.out) as file:
                file.write(json.dumps(_finite(self.to_json()), indent=2, allow_nan=False).encode() + b"\n")


def _finite(value: Any) -> Any:
    """JSON has no numbers that are not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value


def missing(needs: Sequence[str]) -> list[str]:
    """Those of the modules that can't be imported."""
    return [name for name in needs if not _found(name)]


def stood_in(needs: Sequence[str]) -> list[str]:
    """Those of the modules for which something stands in."""
    return [name for name in needs if STAND_INS in Path(_found(name) or "/").resolve().parents]


def _found(name: str) -> str | None:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    return None if spec is None else spec.origin or name


def run_parts(parts: Sequence[Part], report: Report, seconds: float, say: Callable[[str], None]) -> None:
    """Run them in order; what begins too late for its time is cut short, and what is later still is skipped.

    Args:
        parts: in the order of their value.
        report: is filled and written.
        seconds: for all.
        say: is told in a line what happens.
    """
    end = time.monotonic() + seconds
    for part in parts:
        found = report.parts[part.name] = Found()
        left = end - time.monotonic()
        if absent := missing(part.needs):
            found.status, found.reason = "skipped", f"no module {', '.join(absent)}"
        elif left < _LEAST:
            found.status, found.reason = "skipped", "no time left"
        else:
            begin = time.monotonic()
            _run_part(part, report, found, left, say)
            found.seconds = time.monotonic() - begin
        reason = f": {found.reason}" if found.reason else ""
        say(f"{part.name}: {found.status} in {found.seconds:.0f} s{reason}")
        report.write()


def _run_part(part: Part, report: Report, found: Found, left: float, say: Callable[[str], None]) -> None:
    seconds = min(part.seconds, left)
    context = multiprocessing.get_context("spawn")
    earlier = {name: before.figures for name, before in report.parts.items()}
    mine, theirs = context.Pipe(duplex=False)
    end = time.monotonic() + seconds
    with theirs:
        job = (theirs, part, report.plan, earlier, seconds)
        process = context.Process(target=_work, args=job, name=part.name, daemon=True)
        process.start()
    try:
        while mine.poll(max(0.0, end - time.monotonic())):
            kind, name, value = mine.recv()
            if kind == "status":
                found.status, found.reason = name, value
                return
            getattr(found, kind)[name] = value
            if (line := _told(kind, name, value)) is not None:
                say(f"{part.name}: {line}"[:_LONGEST])
            report.write()
        found.status = "stopped" if seconds < left else "cut"
        found.reason = f"its {seconds:.0f} s were up"
    except EOFError:
        process.join(_PATIENCE)
        found.status, found.reason = "died", f"its process ended with {process.exitcode}"
    finally:
        # What it holds of the device is let go of with it.
        process.kill()
        process.join(_PATIENCE)
        mine.close()


def _told(kind: str, name: str, value: Any) -> str | None:
    """What is found in a line, if it fits."""
    if kind == "checks":
        return f"{'right' if value['right'] else 'WRONG'}: {name}: {value['line']}"
    if kind == "left_out":
        return f"left out: {name}: {value}"
    if isinstance(value, str | list):
        return None
    table = value if isinstance(value, dict) else {"": value}
    numbers = {key: entry for key, entry in table.items() if isinstance(entry, int | float)}
    return f"{name}: " + ", ".join(f"{key} {_short(entry)}".strip() for key, entry in numbers.items())


def _short(number: float) -> str:
    return f"{number:.4g}" if isinstance(number, float) else str(number)


def _work(
    connection: Connection, part: Part, plan: Plan, earlier: Mapping[str, Mapping[str, Any]], seconds: float
) -> None:
    """The life of a part's process."""
    threading.Thread(target=_leave_with_parent, name="parent", daemon=True).start()

    def say(kind: str, name: str, value: Any) -> None:
        connection.send((kind, name, value))

    notes = Notes(say, seconds)
    try:
        module, _, name = part.function.partition(":")
        getattr(importlib.import_module(module), name)(plan, notes, earlier)
        say("status", "done", "")
    except BaseException as error:
        if (reason := _left_out(error)) is not None:
            say("status", "skipped", reason)
            return
        notes.figure("traceback", traceback.format_exc(limit=-_FRAMES))
        say("status", "died", _line(error))


def _left_out(error: BaseException) -> str | None:
    """Why something is not done; None for a fault, which a module of ours that is missing is too."""
    if isinstance(error, LeftOut):
        return str(error)
    cause: BaseException | None = error
    # Where a package puts other words around it, the name stands in what it was raised from.
    while isinstance(cause, ModuleNotFoundError):
        if cause.name:
            return None if cause.name.split(".")[0] in _OURS else f"no module {cause.name}"
        cause = cause.__cause__ or cause.__context__
    return None


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST]


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None  # this is a child
    wait([parent.sentinel])
    os._exit(1)
