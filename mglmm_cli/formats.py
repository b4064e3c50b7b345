"""`mglmm export FORMAT`: a command for each format, all with the same options."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.errors import MglmmError, UsageError
from exporters.formats import Format
from mglmm_cli.codes import Exit
from mglmm_cli.kinds import FilePath
from mglmm_cli.labels import say_unmapped, shaped_label_options, take_choice
from mglmm_cli.text import clean

if TYPE_CHECKING:
    from engine.journal import Index
    from exporters.formats.photographs import Photographs
    from exporters.labels.reviewed import Reviewed

_HELP = """Write the labels of OUT, an output folder of `mglmm segcap`, finished or not.

{short} No model runs. A folder that holds such an export already is brought up to date.{loses}"""


@dataclass(frozen=True, slots=True)
class FormatCommand:
    """The command of a format."""

    format: Format

    @property
    def short_help(self) -> str:
        return self.format.short

    def load(self) -> click.Command:
        """Make the command."""
        loses = f"\n\nThe format can't hold {self.format.loses}." if self.format.loses else ""

        def run(**options: Any) -> Exit:
            return _run(self.format, **options)

        function: Callable[..., Exit] = run
        for add in reversed(_options(self.format)):
            function = add(function)
        return click.command(self.format.name, help=_HELP.format(short=self.format.short, loses=loses))(function)


def _options(format: Format) -> list[Callable[[Callable[..., Exit]], Callable[..., Exit]]]:
    copies = "Put upright copies of all photographs beside the labels."
    if format.photographs:
        copies += " [default: links, and copies of those that few tools read or that are stored turned]"
    return [
        click.argument("out", metavar="OUT", type=FilePath()),
        click.option("-o", "--output", required=True, type=FilePath(file_okay=False), help="Folder of the export."),
        click.option(
            "--photos",
            type=FilePath(exists=True, file_okay=False),
            help="Folder in which the photographs lie by their names. [default: where the run found them]",
        ),
        click.option("--save-images", is_flag=True, help=copies),
        click.option("--flat", is_flag=True, help="No sub-folders: a/b.jpg becomes a__b.jpg."),
        click.option(
            "--reviewed",
            type=FilePath(exists=True, dir_okay=False),
            metavar="FILE",
            help="Verdicts that the page of mglmm report saved: what is wrong is left out.",
        ),
        shaped_label_options(format.masks, "the export"),
    ]


def _run(
    format: Format,
    *,
    out: Path,
    output: Path,
    photos: Path | None,
    save_images: bool,
    flat: bool,
    reviewed: Path | None,
    **chosen: Any,
) -> Exit:
    from exporters.formats.export import Export
    from exporters.formats.folder import claimed
    from exporters.formats.names import Names
    from exporters.labels.dataset import Dataset
    from mglmm_cli.folder import open_index

    choice = take_choice(chosen, format.masks[0])
    review = _review(reviewed)
    index = open_index(out)
    if index is None:
        raise UsageError(f"{out}: no photograph is done yet")
    with closing(index):
        dataset = Dataset(index, index.info, choice, review)
        photographs = _photographs(index, photos, placed=format.photographs or save_images, copies=save_images)
        names = Names((photograph["file_name"] for photograph in index.photographs()), flat=flat)
        try:
            with claimed(output, format.name) as written:
                export = Export(format, dataset, output, names, photographs, choice.masks, written)
                format.write(export)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise MglmmError(
                f"{error.filename or output}: the export can't be written ({reason}): mend that, and run this again"
            ) from error
        say_unmapped(dataset)
        _say(format, photographs, len(export.seen), output)
        if review is not None:
            _say_unmet(review, index, reviewed)
    return Exit.DONE


def _review(path: Path | None) -> Reviewed | None:
    from exporters.labels.reviewed import Reviewed
    from exporters.report.verdicts import read_verdicts

    return None if path is None else Reviewed(read_verdicts(path))


def _photographs(index: Index, root: Path | None, *, placed: bool, copies: bool) -> Photographs:
    from engine.images.opening import MAX_PIXELS
    from exporters.formats.photographs import Photographs

    most = index.info.options.get("max_pixels")
    return Photographs(root, placed=placed, copies=copies, max_pixels=most if isinstance(most, int) else MAX_PIXELS)


def _say(format: Format, photographs: Photographs, count: int, output: Path) -> None:
    found = photographs.found
    if format.loses:
        click.echo(f"mglmm: {format.name} can't hold {format.loses}: segcap.json has them", err=True)
    if found.missing and (photographs.placed or photographs.root):
        said = (
            "photograph was not found, so only its labels are"
            if found.missing == 1
            else ("photographs were not found, so only their labels are")
        )
        first = "" if found.missing == 1 else "the first is "
        click.echo(
            f"mglmm: {found.missing} {said} there ({first}{clean(found.why)}); --photos DIR says where they lie",
            err=True,
        )
    if found.turned:
        said = "photograph is" if found.turned == 1 else "photographs are"
        click.echo(
            f"mglmm: {found.turned} {said} stored turned (EXIF): tools that don't turn photographs show the masks in "
            "wrong places; --save-images writes upright copies",
            err=True,
        )
    plural = "" if count == 1 else "s"
    click.echo(f"mglmm: {count} photograph{plural}; wrote {clean(str(output))} ({format.name})", err=True)


def _say_unmet(review: Reviewed, index: Index, path: Path | None) -> None:
    """Verdicts that are about nothing that is there."""
    unmet = sum(map(review.unmet, index.photographs()))
    unmet += len(review.file_names - {photograph["file_name"] for photograph in index.photographs()})
    if unmet:
        said = "verdict counts" if unmet == 1 else "verdicts count"
        click.echo(
            f"mglmm: {path}: {unmet} {said} for nothing: the photograph or the mask is not there, or another by now",
            err=True,
        )
