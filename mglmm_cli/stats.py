"""`mglmm stats`: what a run holds, in numbers."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from engine.errors import UsageError
from mglmm_cli.kinds import FilePath
from mglmm_cli.labels import shaped_label_options, take_choice


@click.command()
@click.argument("out", metavar="OUT", type=FilePath())
@shaped_label_options(("rle",), "")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON: all categories and phrases too.")
def stats(out: Path, as_json: bool, **chosen: Any) -> None:
    """Count the photographs, captions, masks and labels of OUT, what was left out and why.

    OUT is an output folder of `mglmm segcap`, finished or not. Sizes, scores, categories and phrases are those of the
    labels, which the options choose as everywhere; nothing is written, and no model runs.
    """
    from exporters.labels.naming import Naming
    from exporters.labels.statistics import count
    from mglmm_cli.folder import open_index
    from mglmm_cli.stats_table import print_statistics

    choice = take_choice(chosen)
    index = open_index(out)
    if index is None:
        raise UsageError(f"{out}: no photograph is done yet")
    with closing(index):
        counted = count(index, choice.filters, Naming(choice.wanted))
        if index.left_aside:
            click.echo(f"mglmm: {index.path}: {index.left_aside}", err=True)
    if as_json:
        click.echo(json.dumps(asdict(counted), indent=2))
    else:
        print_statistics(counted)
