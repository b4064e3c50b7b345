"""`mglmm merge-runs`: the runs of several folders become one."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

import click

from engine.atomic import replacing
from engine.errors import UsageError
from mglmm_cli.codes import Exit
from mglmm_cli.kinds import FilePath
from mglmm_cli.labels import label_options, take_choice
from mglmm_cli.text import clean

if TYPE_CHECKING:
    from engine.journal import Index, Joining


@click.command("merge-runs")
@click.argument("runs", metavar="OUT...", nargs=-1, required=True, type=FilePath())
@click.option("-o", "--out", required=True, type=FilePath(), help="Folder of the joined run; new or empty.")
@label_options
def merge_runs(runs: tuple[Path, ...], out: Path, **chosen: Any) -> Exit:
    """Join the runs of OUT..., output folders of `mglmm segcap`, into one; no model runs.

    Model and options must be the same. An image keeps its id unless one of an earlier OUT has it; then it gets
    another, and moved.jsonl says which. A photograph that several runs have, of one name and content, is taken from the
    first; of one name and other content, it gets its run's folder in front of its name. `mglmm segcap` goes on with
    the joined run as with any.
    """
    from engine.journal import Joining, Run, dump
    from engine.text.names import to_text
    from mglmm_cli.folder import JOURNAL, check_folder, held, say_outputs
    from mglmm_cli.results import write_outputs

    choice = take_choice(chosen)
    if len({run.resolve() for run in runs}) < max(len(runs), 2):
        raise click.UsageError("give two or more OUT, each once")
    with ExitStack() as stack:
        opened: list[Run] = []
        for number, folder in enumerate(runs, start=1):
            name = folder.resolve().name or "run"
            unlike = name if all(name != run.folder for run in opened) else f"{name}-{number}"
            opened.append(Run(_open(folder, stack), str(folder), to_text(unlike)))
        check_folder(out)
        if (out / JOURNAL).exists():
            raise UsageError(f"{out} holds a run: choose a new folder with -o")
        notes = stack.enter_context(TemporaryFile())
        joining = Joining(opened, lambda note: notes.write(dump(note) + b"\n"))
        stack.enter_context(held(out))
        moved = _write(joining, out, notes)
        index = write_outputs(out, choice)
    said = f"mglmm: {index.done} photographs"
    for count, what in (
        (index.failed, "failed"),
        (joining.repeated, "left out as an earlier run has them"),
        (joining.moved, "with another id or name"),
    ):
        said += f", {count} {what}" if count else ""
    wrote = [say_outputs(out), *map(str, moved)]
    click.echo(f"{said}; wrote {clean(', '.join(wrote))}", err=True)
    return Exit.DONE


def _open(folder: Path, stack: ExitStack) -> Index:
    """A run that is whole; what is odd about it is said."""
    from mglmm_cli.folder import open_index

    index = open_index(folder)
    if index is None:
        raise UsageError(f"{folder}: no photograph is done yet")
    stack.callback(index.close)
    index.require_whole()
    if index.left_aside:
        click.echo(f"mglmm: {index.path}: {index.left_aside}", err=True)
    if not index.finished:
        click.echo(f"mglmm: {clean(str(folder))}: the run is not finished: what it has so far is taken", err=True)
    return index


def _write(joining: Joining, out: Path, notes: IO[bytes]) -> list[Path]:
    """Write the journal, and before it takes its name what has moved; the path of that, if there is any.

    Raises:
        OSError: if they can't be written.
    """
    from mglmm_cli.folder import JOURNAL, MOVED

    with replacing(out / JOURNAL) as file:
        joining.write(file)
        if not notes.tell():
            return []
        notes.seek(0)
        with replacing(out / MOVED) as moved:
            shutil.copyfileobj(notes, moved)
    return [out / MOVED]
