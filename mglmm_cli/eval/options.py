"""Options of the benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from mglmm_cli.options import model_options

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Decorator = Callable[[_Function], _Function]

_FOLDER = click.Path(file_okay=False, path_type=Path)
_THERE = click.Path(exists=True, path_type=Path)
_FOLDER_THERE = click.Path(exists=True, file_okay=False, path_type=Path)


def split(*names: str, default: str | None = None, note: str = "") -> Callable[[_Function], _Function]:
    """`--split`, with these choices; one is required without a default."""
    return click.option(
        "--split",
        required=default is None,
        default=default,
        show_default=True,
        type=click.Choice(names),
        help=f"Which part of the set{f' ({note})' if note else ''}.",
    )


def dataset(*names: str, default: str | None = None) -> Callable[[_Function], _Function]:
    """`--set`, with these choices."""
    return click.option(
        "--set",
        "dataset",
        required=default is None,
        default=default,
        show_default=True,
        type=click.Choice(names),
        help="Which set.",
    )


def common(*, data_required: bool = True, images: bool = True) -> Callable[[_Function], _Function]:
    """What all benchmarks take."""
    options = [
        click.option("--data", required=data_required, type=_THERE, help="Where the data set lies."),
        click.option("--predictions", type=_THERE, help="Score these answers instead of asking a model."),
        model_options,
        click.option("--limit", type=click.IntRange(min=1), help="Only the first so many questions."),
        click.option(
            "--protocol",
            default="official",
            show_default=True,
            type=click.Choice(["official", "corrected"]),
            help="With the faults of the published scripts, or without; official shows both.",
        ),
        click.option(
            "-o",
            "--out",
            type=_FOLDER,
            help="Write results.json, items.jsonl and the answers here; an interrupted run goes on.",
        ),
        click.option("--fresh", is_flag=True, help="Start over in --out."),
        click.option("--write-predictions", type=_FOLDER, help="Write the answers here, in the official layout."),
        click.option(
            "--compare",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            metavar="RESULTS.json",
            help="Compare with an earlier result on the same questions.",
        ),
        click.option(
            "--worst",
            type=click.IntRange(min=1),
            metavar="N",
            help="Write a page of the N worst answers into OUT/worst/.",
        ),
    ]
    if images:
        options.insert(1, click.option("--images", type=_FOLDER_THERE, help="Folder of the photographs."))

    def add(function: _Function) -> _Function:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def caption_options(function: _Function) -> _Function:
    """What benchmarks with captions take."""
    return click.option("--spice", is_flag=True, help="SPICE as well; needs the models of Stanford CoreNLP.")(function)


def mask_captions(function: _Function) -> _Function:
    """What benchmarks with captions and masks take."""
    text_model = click.option(
        "--text-model",
        type=_FOLDER_THERE,
        help="Hugging Face folder of the text model of the mask recall; the papers' is bert-base-uncased. "
        "[default: all-MiniLM-L6-v2]",
    )
    return caption_options(text_model(function))
