"""`mglmm report`: a page to look at what a folder holds."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.errors import MglmmError, UsageError
from mglmm_cli.codes import Exit
from mglmm_cli.kinds import FilePath
from mglmm_cli.text import clean

if TYPE_CHECKING:
    from engine.journal import Index
    from exporters.report.writer import Written


@click.command()
@click.argument("out", metavar="OUT", type=FilePath())
@click.option("-o", "--output", type=FilePath(file_okay=False), help="Folder of the page. [default: OUT/report]")
@click.option(
    "--with",
    "others",
    multiple=True,
    metavar="OTHER",
    type=FilePath(),
    help="Another output folder, shown beside OUT; may be given several times.",
)
@click.option(
    "--photos",
    type=FilePath(exists=True, file_okay=False),
    help="Folder in which the photographs lie by their names. [default: where the run found them]",
)
def report(out: Path, output: Path | None, others: tuple[Path, ...], photos: Path | None) -> Exit:
    """Write a page that shows the photographs of OUT with their masks and captions.

    OUT is an output folder of `mglmm segcap`, finished or not. The page opens from the disk in a browser; it needs
    neither a server nor a network, and may be moved and sent with its folder.
    """
    from mglmm_cli.folder import REPORT

    with ExitStack() as stack:
        indexes = [_open(folder, stack) for folder in (out, *others)]
        written = write(indexes, [out, *others], output or out / REPORT, photos)
    plural = "" if written.photographs == 1 else "s"
    click.echo(f"mglmm: {written.photographs} photograph{plural}; wrote {clean(str(written.index))}", err=True)
    return Exit.DONE


def write(indexes: list[Index], folders: list[Path], output: Path, photos: Path | None = None) -> Written:
    """Write the page of some runs, and say on stderr what it lacks.

    Args:
        indexes: of the runs, the first one being that which is marked.
        folders: where they lie.
        output: gets the page.
        photos: where the photographs lie by their names.

    Raises:
        UsageError, MglmmError: if it can't be written.
    """
    from exporters.report.entries import entries_of
    from exporters.report.runs import run_of
    from exporters.report.writer import write_report

    runs = [run_of(index, str(folder)) for index, folder in zip(indexes, folders, strict=True)]
    for run in runs:
        for note in run.notes:
            click.echo(f"mglmm: {clean(run.title)}: {clean(note)}", err=True)
    try:
        written = write_report(output, str(folders[0]), runs, entries_of(indexes, photos))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise MglmmError(
            f"{output}: the report can't be written ({reason}): mend that, or choose another folder with -o"
        ) from error
    if written.unseen:
        click.echo(
            f"mglmm: {written.unseen} of {written.photographs} photographs are not where they were, or others by now: "
            "their masks are shown on grey; --photos DIR says where they lie",
            err=True,
        )
    return written


def _open(folder: Path, stack: ExitStack) -> Index:
    from mglmm_cli.folder import open_index

    index = open_index(folder)
    if index is None:
        raise UsageError(f"{folder}: no photograph is done yet")
    stack.callback(index.close)
    return index
