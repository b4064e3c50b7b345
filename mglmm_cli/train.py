"""`mglmm train`: train a model by a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from trainer.run.dry_run import Plan


@click.command()
@click.argument("recipe", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for checkpoints, the log and the trained model.",
)
@click.option("--resume", is_flag=True, help="Go on with the run in OUT; an error if it holds none.")
@click.option("--dry-run", is_flag=True, help="Show what would be trained, and on what; train nothing.")
def train(recipe: Path, out: Path | None, resume: bool, dry_run: bool) -> None:
    """Train a model by RECIPE, a YAML file.

    A run that was stopped goes on where it was when the same command is given again; with --resume it never begins
    anew.
    """
    if dry_run:
        from trainer.run.dry_run import plan

        _show(plan(recipe))
        return
    if out is None:
        raise click.UsageError("Missing option '-o' / '--out'")
    from accelerate import PartialState

    from exporters.parts import export_parts
    from trainer.run.loop import train as run

    folder = run(recipe, out, resume=resume)
    if PartialState().is_main_process:
        export_parts(folder)
        click.echo(f"wrote {folder}", err=True)


def _show(plan: Plan) -> None:
    """Print the tables of a dry run, and the first batch: `>>` before what is learned."""
    from mglmm_cli.tables import table_console, titled_table
    from trainer.run.dry_run import DRAWS

    console = table_console(100)
    parts = titled_table("Parameters", "part", numbers=("trained", "frozen"))
    for part in plan.parts:
        parts.add_row(part.name, f"{part.trained:,}", f"{part.frozen:,}")
    parts.add_row("together", f"{sum(p.trained for p in plan.parts):,}", f"{sum(p.frozen for p in plan.parts):,}")
    memory = titled_table("Memory of a process (estimate)", "for", numbers=("MB",))
    for name, size in plan.memory.items():
        memory.add_row(name, f"{size / 1e6:,.0f}")
    memory.caption = (
        "activations: what the first photograph keeps for its backward pass, times the photographs of a part"
    )
    sources = titled_table("Where examples come from", "set", "task", numbers=("share", "examples", "records"))
    for pool, share in plan.pools:
        sources.add_row(pool.name, str(pool.task or "all"), f"{share:.1%}", f"{pool.examples:,}", f"{pool.records:,}")
    tasks = titled_table(f"Conversations of the first {DRAWS} examples", "task", numbers=("conversations",))
    for task, count in plan.tasks.items():
        tasks.add_row(task, f"{count:,}")
    for table in (parts, memory, sources, tasks):
        console.print(table)
    for line in plan.remarks:
        click.echo(f"mglmm: {line}", err=True)
    click.echo("The first batch (>> is learned):")
    for number, row in enumerate(plan.rows):
        click.echo(f"photograph {number}")
        for passage in row:
            click.echo(f"  {'>>' if passage.learned else '  '} {' '.join(passage.text.split())}")
