"""`mglmm export`: the labels of a run as other tools take them, and a model's parts."""

from __future__ import annotations

from pathlib import Path

import click

from exporters.formats import FORMATS
from mglmm_cli.formats import FormatCommand
from mglmm_cli.kinds import FilePath
from mglmm_cli.lazy import LazyCommand, LazyGroup

export = LazyGroup(
    name="export",
    help="Write the labels of a run as other tools take them, or a model's parts as ONNX.",
    lazy={
        **{format.name: FormatCommand(format) for format in FORMATS},
        "onnx": LazyCommand("mglmm_cli.export:onnx", "A model's mask decoder, or all its parts, as ONNX."),
    },
)


@click.command()
@click.argument("model", metavar="MODEL")
@click.argument("out", metavar="[OUT.onnx]", required=False, type=FilePath(dir_okay=False))
def onnx(model: str, out: Path | None) -> None:
    """Write the mask decoder of MODEL (a name or a folder) to OUT.onnx, or all that ONNX Runtime runs into its folder.

    The number of prompts and the output size are dynamic.
    """
    from engine.model.sources import find
    from exporters.onnx import export as write
    from exporters.parts import export_parts

    source = find(model)
    if not isinstance(source, Path):
        raise click.UsageError(f"{model} has random weights: there is nothing to export")
    for file in [write(source, out)] if out else export_parts(source):
        click.echo(f"wrote {file}", err=True)
