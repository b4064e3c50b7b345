"""`mglmm rebuild`: the outputs of a folder, made from its journal again."""

from __future__ import annotations

from pathlib import Path

import click

from mglmm_cli.codes import Exit


@click.command()
@click.argument("out", metavar="OUT", type=click.Path(exists=True, file_okay=False, path_type=Path))
def rebuild(out: Path) -> Exit:
    """Write segcap.json and failures.jsonl of OUT from its journal; no model runs.

    OUT is an output folder of `mglmm segcap`, finished or not. Overlays are drawn by running that command again with
    --overlay.
    """
    from engine.journal import Lock
    from mglmm_cli.folder import COCO, open_index
    from mglmm_cli.results import write_outputs

    open_index(out).close()  # before a lock is left in a folder that is none of ours
    with Lock(out):
        index = write_outputs(out)
    failed = f", {index.failed} failed" if index.failed else ""
    click.echo(f"mglmm: {index.done} photographs{failed}; wrote {out / COCO}", err=True)
    return Exit.DONE
