"""`mglmm train`: train a model by a recipe."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("recipe", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for checkpoints, the log and the trained model.",
)
def train(recipe: Path, out: Path) -> None:
    """Train a model by RECIPE, a YAML file.

    A run that was stopped goes on where it was when the same command is given again.
    """
    from exporters.onnx import export
    from trainer.loop import train as run

    folder = run(recipe, out)
    export(folder)
    click.echo(f"wrote {folder}", err=True)
