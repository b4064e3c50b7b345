"""`mglmm merge`: an adapter goes into the weights."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("model", metavar="MODEL")
@click.argument("out", metavar="OUT", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--dtype",
    type=click.Choice(["float32", "bfloat16", "float16"]),
    default="float32",
    show_default=True,
    help="Of the stored weights. Half precision rounds, which may change an answer.",
)
def merge(model: str, out: Path, dtype: str) -> None:
    """Merge the adapter of MODEL, trained with LoRA, into its weights, and write the model folder OUT.

    MODEL is a model or the folder of a training run.
    """
    import torch

    from engine.atomic import require_folder
    from engine.model.merging import merge as run
    from exporters.parts import export_parts

    require_folder(out)
    run(model, out, dtype=getattr(torch, dtype))
    export_parts(out)
    click.echo(f"wrote {out}", err=True)
