"""What `--model` names, as a folder: a release is fetched and converted first, with a bar."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from mglmm_cli.text import clean


def located(model: str) -> str:
    """See `engine.releases.locate.locate`."""
    from engine.releases.locate import Watch, locate
    from mglmm_cli.bar import bar

    return locate(model, Watch(say, partial(bar, "B", scaled=True), _finish))


def say(line: str) -> None:
    """Say on stderr what is done."""
    click.echo(f"mglmm: {clean(line)}", err=True)


def _finish(folder: Path) -> None:
    # Not before it is needed: it takes seconds to import.
    from exporters.parts import export_parts

    export_parts(folder)
