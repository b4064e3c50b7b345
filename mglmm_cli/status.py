"""`mglmm status`: how far the run of an output folder is."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.errors import UsageError
from mglmm_cli.kinds import FilePath
from mglmm_cli.text import clean

if TYPE_CHECKING:
    from engine.journal import Index, Start


@click.command()
@click.argument("out", metavar="OUT", type=FilePath())
def status(out: Path) -> None:
    """Say how many photographs of OUT are done, have failed and are left, and how fast it goes.

    OUT is an output folder of `mglmm segcap`, whether that is running or not. What is left is found by looking for
    the photographs of its inputs by name.
    """
    from engine.journal import holder
    from mglmm_cli.folder import JOURNAL, open_index

    process = holder(out)
    index = None if process and not (out / JOURNAL).exists() else open_index(out)
    lines = {"state": _state(index, process)}
    lines |= {"done": str(index.done), "failed": str(index.failed)} if index else {"done": "0", "failed": "0"}
    if index and index.failed and not process:
        lines["reasons"] = _reasons(index, out)
    lines |= {"left": _left(index, out.resolve()), "speed": _speed(index)}
    if index and index.damaged:
        lines["damaged"] = f"{len(index.damaged)} lines of the journal, the first is {index.damaged[0]}"
    if index and index.unknown:
        lines["unknown"] = index.left_aside
    for name, value in lines.items():
        click.echo(f"{name:8}{clean(value)}")


def _state(index: Index | None, process: str | None) -> str:
    if process:
        return f"{'running' if index else 'starting'}, process {process}"
    return f"finished {index.finished}" if index and index.finished else "stopped; the same command goes on"


def _reasons(index: Index, out: Path) -> str:
    """Where it is said why photographs failed; a run that was stopped has not written it."""
    from mglmm_cli.folder import FAILURES

    path = out / FAILURES
    return str(path) if index.finished and path.exists() else f"mglmm rebuild {shlex.quote(str(out))} writes {path}"


def _left(index: Index | None, out: Path) -> str:
    """Photographs of the inputs that the journal does not have, by their names; none lies in `out`."""
    from engine.images.sources import STDIN, find_sources

    if index is None:
        return "unknown"
    if index.start is None:
        return "unknown, the lines that say what run it is are damaged"
    if not index.start.inputs:
        return "unknown, the run was joined from others"
    if STDIN in index.start.inputs:
        return "unknown, they came on a list"
    try:
        with _inside(index.start):
            # A failure is left too, but counted already.
            sources = find_sources(index.start.inputs, None, out, index.start.root)
            return str(sum(index.find(source.file_name) is None for source in sources))
    except (UsageError, OSError, ValueError) as error:  # ValueError: no name that a system knows
        return f"unknown ({error})"


def _speed(index: Index | None) -> str:
    """Of the last run, from its start to its end, as it says, or to its last line, as the file's time does."""
    if index is None or index.start is None or not index.start.info.started or not index.since:
        return "unknown"
    begun = datetime.fromisoformat(index.start.info.started).timestamp()
    end = datetime.fromisoformat(index.finished).timestamp() if index.finished else index.path.stat().st_mtime
    return f"{index.since / max(end - begun, 1.0):.2f} photographs per second"


@contextmanager
def _inside(start: Start) -> Iterator[None]:
    """In the folder that a run's inputs are relative to."""
    before = os.getcwd()
    os.chdir(start.folder)
    try:
        yield
    finally:
        os.chdir(before)
