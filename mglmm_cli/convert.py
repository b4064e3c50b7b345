"""`mglmm convert`: a public checkpoint becomes a model folder."""

from __future__ import annotations

from pathlib import Path

import click

from mglmm_cli.kinds import FilePath


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("out", metavar="OUT", type=FilePath(file_okay=False))
@click.option(
    "--vision-tower",
    metavar="DIR",
    help="Folder of the CLIP vision tower, or its name on the Hugging Face Hub. [default: what SRC holds or names]",
)
@click.option(
    "--sam",
    metavar="FILE",
    type=FilePath(exists=True, dir_okay=False),
    help="A plain SAM (sam_vit_h*.pth, ...), needed with a LLaVA; otherwise it replaces that of SRC.",
)
@click.option(
    "--family",
    type=click.Choice(["auto", "mglmm", "glamm", "lisa"]),
    default="auto",
    show_default=True,
    help="Whose checkpoint SRC is.",
)
def convert(source: str, out: Path, vision_tower: str | None, sam: Path | None, family: str) -> None:
    """Convert SRC, a checkpoint of MGLMM, GLaMM or LISA, to the model folder OUT.

    SRC is a folder or a name on the Hugging Face Hub. A LLaVA with --sam becomes an MGLMM that is yet to be trained.
    """
    from engine.convert.convert import convert as run
    from exporters.parts import export_parts
    from mglmm_cli.bar import bar
    from mglmm_cli.releases import say

    with bar("B", scaled=True) as advance:
        report = run(source, out, vision_tower=vision_tower, sam=sam, family=family, advance=advance, note=say)
    for line in report.lines():
        click.echo(line, err=True)
    export_parts(out)
    click.echo(f"wrote {out}", err=True)
