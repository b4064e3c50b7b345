"""`mglmm rebuild`: the outputs of a folder, made from its journal again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from engine.errors import MglmmError
from mglmm_cli.codes import Exit
from mglmm_cli.kinds import FilePath
from mglmm_cli.labels import label_options, take_choice


@click.command()
@click.argument("out", metavar="OUT", type=FilePath())
@label_options
def rebuild(out: Path, **chosen: Any) -> Exit:
    """Write segcap.json and failures.jsonl of OUT from its journal; no model runs.

    OUT is an output folder of `mglmm segcap`, finished or not. Overlays are drawn by running that command again with
    --overlay and the same options as here.
    """
    from engine.journal import Lock
    from mglmm_cli.folder import check_folder, open_index, say_outputs
    from mglmm_cli.results import write_outputs

    before = open_index(out)  # before a lock is left in a folder that is none of ours
    check_folder(out)
    if before is None:
        raise MglmmError(f"{out}: no photograph is done yet")
    before.close()
    with Lock(out):
        index = write_outputs(out, take_choice(chosen))
    if index.left_aside:
        click.echo(f"mglmm: {index.path}: {index.left_aside}", err=True)
    failed = f", {index.failed} failed" if index.failed else ""
    click.echo(f"mglmm: {index.done} photographs{failed}; wrote {say_outputs(out)}", err=True)
    return Exit.DONE
