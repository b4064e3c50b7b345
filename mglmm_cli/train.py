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
    from trainer.loop import train as run

    click.echo(f"wrote {run(recipe, out)}", err=True)
