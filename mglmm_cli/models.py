"""`mglmm models`: releases that were converted on this machine."""

from __future__ import annotations

import click


@click.group(invoke_without_command=True)
@click.pass_context
def models(context: click.Context) -> None:
    """List the releases that --model has converted: name, revision, size on disk, last use.

    They lie in ~/.cache/mglmm/models; MGLMM_CACHE=FOLDER chooses another place than ~/.cache/mglmm.
    """
    if context.invoked_subcommand is None:
        _list()


@models.command()
@click.argument("name", metavar="NAME")
def remove(name: str) -> None:
    """Remove the converted NAME, as listed; NAME@REVISION is one of several.

    What was downloaded stays in the cache of the Hugging Face Hub, for a new conversion without a network.
    """
    from engine.errors import UsageError
    from engine.memory import size_text
    from engine.model import hub
    from engine.releases import cache
    from mglmm_cli.text import clean

    found = cache.named(name)
    if not found:
        raise UsageError(f"{name}: no converted release of that name in {cache.root()}; 'mglmm models' lists them")
    for entry in found:
        size = entry.size
        cache.remove(entry)
        click.echo(f"removed {clean(entry.release.name)} {entry.release.revision[:12]}, {size_text(size)}", err=True)
        if hub.is_name(entry.release.name):
            advice = f"its download stays in {hub.cache()}: 'hf cache rm model/{entry.release.name}' removes it"
            click.echo(clean(advice), err=True)


def _list() -> None:
    from engine.memory import size_text
    from engine.releases import cache
    from mglmm_cli.tables import table_console, titled_table
    from mglmm_cli.text import clean

    found = cache.entries()
    if not found:
        click.echo(f"no converted releases in {cache.root()}", err=True)
        return
    table = titled_table(str(cache.root()), "model", "revision", numbers=("size",))
    table.add_column("last used")
    for entry in found:
        name, revision, used = entry.release.name, entry.release.revision[:12], entry.used.astimezone()
        table.add_row(clean(name), revision, size_text(entry.size), f"{used:%Y-%m-%d %H:%M}")
    total = sum(entry.size for entry in found)
    table.caption = f"{size_text(total)} in all"
    table_console(100).print(table)
