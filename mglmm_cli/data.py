"""`mglmm data`: data sets become training records, and records are looked at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.errors import UsageError
from engine.text.prompts import TEMPLATES
from mglmm_cli import __version__
from mglmm_cli.lazy import LazyCommand, LazyGroup
from mglmm_cli.text import clean

if TYPE_CHECKING:
    from trainer.data.record import Record
    from trainer.data.shards import Info

_WIDTH = 140  # columns of a table in a pipe
_ROWS, _TOLD = 20, 3  # reasons in a table and in a line

data = LazyGroup(
    name="data",
    help="Make and look at training records.",
    lazy={
        "convert": LazyCommand("mglmm_cli.data:convert", "Turn a data set into training records."),
        "formats": LazyCommand("mglmm_cli.data:formats", "List the data sets that can be converted."),
        "show": LazyCommand("mglmm_cli.data:show", "Print and draw a record."),
    },
)


@click.command()
@click.argument("name")
@click.argument("source", metavar="SRC", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("out", metavar="OUT", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--template",
    type=click.Choice(tuple(TEMPLATES)),
    default="nano",
    show_default=True,
    help="Whose wordings the questions get: that of the model to be trained.",
)
def convert(name: str, source: Path, out: Path, template: str) -> None:
    """Convert the data set SRC, laid out as NAME ('mglmm data formats' lists them), to the folder OUT.

    Photographs stay where they are. Entries that can't be used are counted and named.
    """
    from mglmm_cli.console import PhotoProgress
    from trainer.data.conversion import convert as run

    with PhotoProgress() as progress:
        info = run(name, source, out, template=template, tool=f"mglmm {__version__}", advance=progress.advance)
    _print_info(info)
    for remark in info.remarks:
        click.echo(clean(f"mglmm: warning: {remark.reason}: {remark.count:,}, as {remark.examples[0]}"), err=True)
    click.echo(clean(f"wrote {out}{_skipped(info)}"), err=True)


@click.command()
def formats() -> None:
    """List the data sets that can be converted: what their folders hold, and where that is described."""
    from mglmm_cli.tables import table_console, titled_table
    from trainer.data.formats import NAMES, open_format

    table = titled_table("formats", "name", "folder", "tasks", "described at")
    for name in NAMES:
        form = open_format(name)
        table.add_row(name, form.layout, ", ".join(form.tasks), form.link)
    table_console(_WIDTH).print(table)


@click.command()
@click.argument("folder", metavar="OUT", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("number", metavar="[N]", type=click.IntRange(min=0), default=0)
@click.option("--draw", type=click.Path(dir_okay=False, path_type=Path), help="Draw it with its masks: a .png or .jpg.")
def show(folder: Path, number: int, draw: Path | None) -> None:
    """Print record N (from 0) of the training records OUT."""
    from trainer.data.shards import Shards

    if draw and draw.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise click.BadParameter(f"{draw} is no .png or .jpg", param_hint="--draw")
    shards = Shards.open(folder)
    if number >= len(shards):
        raise UsageError(f"{folder}: has records 0 to {len(shards) - 1}, no {number}")
    record = shards[number]
    click.echo(f"record {number} of {len(shards)}: {record.task}, from {clean(record.source)}")
    _print_record(record)
    if draw:
        from exporters.overlay import write_overlay
        from trainer.data.preview import photo_record
        from trainer.data.source import read_photograph

        write_overlay(draw, read_photograph(shards.images / record.image, record), photo_record(record))
        click.echo(f"wrote {draw}", err=True)


def _print_info(info: Info) -> None:
    from mglmm_cli.tables import table_console, titled_table
    from trainer.data.shards import fold

    console = table_console(_WIDTH)
    table = titled_table(info.format, "task", numbers=("records",))
    for task, count in info.records.items():
        if count:
            table.add_row(task, f"{count:,}")
    table.add_section()
    total = sum(info.records.values())
    for name, count in (("records", total), ("masks", info.masks), ("photographs", info.photographs)):
        table.add_row(name, f"{count:,}")
    console.print(table)
    if info.skipped:
        skipped = titled_table("skipped", "reason", "first of them", numbers=("entries",))
        first, others = fold(info.skipped, _ROWS)
        for skip in first:
            skipped.add_row(clean(skip.reason), "\n".join(map(clean, skip.examples)), f"{skip.count:,}")
        if others:
            skipped.add_row(f"{others[0]} other reasons", "", f"{others[1]:,}")
        console.print(skipped)


def _skipped(info: Info) -> str:
    """What the last line says of the entries that are left out."""
    from trainer.data.shards import fold

    if not info.skipped:
        return ""
    first, others = fold(info.skipped, _TOLD)
    told = [f"{skip.reason} ({skip.count:,})" for skip in first]
    told += [f"{others[0]} other reasons ({others[1]:,})"] if others else []
    total = sum(skip.count for skip in info.skipped)
    return f"; skipped {total:,} {'entry' if total == 1 else 'entries'}: {'; '.join(told)}"


def _print_record(record: Record) -> None:
    from engine.masks.rle import area
    from engine.text.grammar import parse
    from mglmm_cli.tables import table_console, titled_table

    click.echo(f"photograph: {clean(record.image)} ({record.width} x {record.height})")
    table = titled_table("", "phrase", numbers=("mask", "pixels", "of the photograph"))
    masks = enumerate(record.masks)
    for turn in record.turns:
        click.echo(f"question:   {clean(turn.question)}\nanswer:     {clean(turn.answer)}")
        for phrase in parse(turn.answer).phrases:
            for _ in phrase.segs:
                number, rle = next(masks)
                size = "not known" if rle is None else f"{area(rle):,}"
                share = "" if rle is None else f"{100 * area(rle) / (rle.height * rle.width):.1f} %"
                table.add_row(clean(phrase.text), str(number), size, share)
            if not phrase.segs:
                table.add_row(clean(phrase.text), "none", "", "")
    if table.row_count:
        table_console(_WIDTH).print(table)
