"""`mglmm eval`: scores of a model on annotated photographs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from mglmm_cli.lazy import LazyCommand, LazyGroup
from mglmm_cli.options import model_options, open_model

_Function = TypeVar("_Function", bound=Callable[..., Any])

evaluate = LazyGroup(
    name="eval",
    help="Score a model on annotated photographs.",
    lazy={
        "mgsc": LazyCommand("mglmm_cli.eval:mgsc", "Multi-granularity captions with masks."),
        "refer": LazyCommand("mglmm_cli.eval:refer", "Referring segmentation and empty targets."),
    },
)

_COMMON = (
    click.option(
        "--data",
        required=True,
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Folder that holds the sets.",
    ),
    click.option("--split", default="val", show_default=True, help="Which part of the set."),
    model_options,
    click.option("--limit", type=click.IntRange(min=1), help="Only the first so many photographs."),
    click.option(
        "--json", "json_path", type=click.Path(dir_okay=False, path_type=Path), help="Write the scores here as well."
    ),
)


def _common(function: _Function) -> _Function:
    for option in reversed(_COMMON):
        function = option(function)
    return function


@click.command()
@click.option("--set", "dataset", required=True, type=click.Choice(["ccp", "camvid", "coco"]), help="Which set.")
@click.option(
    "--task", default="panoptic", show_default=True, type=click.Choice(["panoptic", "fine"]), help="Which question."
)
@_common
def mgsc(
    dataset: str,
    task: str,
    data: Path,
    split: str,
    model: str,
    precision: str,
    device: str,
    limit: int | None,
    json_path: Path | None,
) -> None:
    """Multi-granularity SegCap: mIoU, AP50, mask recall, METEOR, CIDEr, beside a constant baseline."""
    from trainer.benchmarks.mgsc import run

    checkpoint = open_model(model, precision, device)
    _report(run(checkpoint, data=data, dataset=dataset, split=split, task=task, limit=limit), json_path)


@click.command()
@_common
def refer(
    data: Path, split: str, model: str, precision: str, device: str, limit: int | None, json_path: Path | None
) -> None:
    """Referring segmentation of the one person, and empty targets."""
    from trainer.benchmarks.refer import run

    _report(run(open_model(model, precision, device), data=data, split=split, limit=limit), json_path)


def _report(scores: Mapping[str, Mapping[str, float]], json_path: Path | None) -> None:
    """Print a row per metric and a column per contestant (the model, the baseline).

    Args:
        scores: contestant -> metric -> value.
        json_path: also written here.
    """
    from rich.console import Console
    from rich.table import Table

    table = Table("")
    for contestant in scores:
        table.add_column(contestant, justify="right")
    for metric in dict.fromkeys(metric for column in scores.values() for metric in column):
        values = (column.get(metric) for column in scores.values())
        table.add_row(metric, *("" if value is None else f"{value:.1f}" for value in values))
    Console().print(table)
    if json_path:
        json_path.write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")
