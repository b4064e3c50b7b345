"""`mglmm bench`: how fast the engine is here, and where its time goes."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from engine import __version__
from mglmm_cli.codes import Exit
from mglmm_cli.kinds import FilePath, count
from mglmm_cli.options import given, model_options, open_model

if TYPE_CHECKING:
    from engine.images.sources import Source

_BASELINE_LIMIT = 8


@click.command()
@click.argument("inputs", nargs=-1, metavar="[DIR]...")
@click.option("--synthetic", type=count(), metavar="N", help="Make N photographs instead of reading DIR.")
@click.option("--limit", type=count(), help="Only the first so many photographs.")
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    type=click.Choice(["public", "generous", "sa2va"]),
    help="Compare with this plain loop; may be repeated.",
)
@click.option(
    "--baseline-limit",
    type=count(),
    help=f"A baseline gets the first so many photographs. [default: {_BASELINE_LIMIT}]",
)
@click.option(
    "--granularity",
    type=click.Choice(["panoptic", "both"]),
    help="Ask about the whole scene, or then about its objects too. [default: both]",
)
@click.option("--max-new-tokens", type=count(), help="Length limit of an answer.")
@click.option("--answer-tokens", type=count(), metavar="N", help="Make every answer N tokens long.")
@click.option("--batch-size", type=count(), help="Answers that are written together.")
@model_options
@click.option("--json", "json_path", type=FilePath(dir_okay=False), help="Write all figures to this file.")
def bench(
    inputs: tuple[str, ...],
    synthetic: int | None,
    limit: int | None,
    baselines: tuple[str, ...],
    baseline_limit: int | None,
    max_new_tokens: int | None,
    answer_tokens: int | None,
    model: str,
    precision: str,
    device: str,
    json_path: Path | None,
    **asked: Any,
) -> Exit:
    """Measure the engine on the photographs of DIR... or on made ones.

    A baseline puts the same questions to the same weights, one photograph after the other: `public` the way the public
    code of MGLMM, GLaMM and LISA runs, without a KV cache; `generous` so too, but with the encoders run once per
    photograph; `sa2va` the way that of Sa2VA runs, with a KV cache and the pixel encoder once more for each mask.
    Their answers are compared with the engine's.
    """
    if bool(inputs) == bool(synthetic):
        raise click.UsageError("give folders of photographs, or --synthetic N without any")
    if synthetic and limit:
        raise click.UsageError("--synthetic says how many photographs there are; leave out --limit")
    if baseline_limit and not baselines:
        raise click.UsageError("--baseline-limit does nothing without --baseline")
    if answer_tokens and max_new_tokens:
        raise click.UsageError("--answer-tokens is the length of every answer; leave out --max-new-tokens")
    if json_path and not json_path.absolute().parent.is_dir():
        raise click.UsageError(f"--json {json_path}: there is no such folder")

    listed = _listed(inputs, limit) if inputs else []

    # Before anything is timed: the first import of torch alone takes seconds.
    from engine.bench import Baseline, Plan, make_photographs
    from engine.bench import bench as measure
    from engine.pipeline.pipeline import Options
    from mglmm_cli.bench_table import print_bench

    length = {"max_new_tokens": answer_tokens or max_new_tokens, "forced": bool(answer_tokens)}
    plan = Plan(
        Options(**given({**asked, **length})),
        tuple(Baseline(name) for name in baselines),
        baseline_limit or _BASELINE_LIMIT,
    )
    with TemporaryDirectory(prefix="mglmm-bench-") as folder:
        sources = make_photographs(Path(folder), synthetic) if synthetic else listed
        report = measure(lambda: open_model(model, precision, device), sources, plan, _note)
    print_bench(report)
    if json_path:
        content = {"tool": f"mglmm {__version__}", **report.to_json()}
        json_path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return Exit.PHOTOGRAPHS_FAILED if report.failed else Exit.DONE


def _listed(inputs: tuple[str, ...], limit: int | None) -> list[Source]:
    from engine.images.sources import find_sources

    return list(islice(find_sources(inputs, None), limit))


def _note(line: str) -> None:
    click.echo(f"mglmm: {line}", err=True)
