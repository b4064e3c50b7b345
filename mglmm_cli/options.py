"""Options that several commands share. An option that was not given is None: the engine knows the defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

_Function = TypeVar("_Function", bound=Callable[..., Any])

MODEL = click.option(
    "--model", default="nano", show_default=True, metavar="NAME|FOLDER", help="An embedded model, or a model's folder."
)

_ANSWERING = (
    click.option("--decoder", type=click.Choice(["onnx", "torch"]), help="What runs the mask decoder. [default: onnx]"),
    click.option("--max-new-tokens", type=click.IntRange(min=1), help="Length limit of an answer."),
    click.option(
        "--temperature",
        type=click.FloatRange(min=0, min_open=True),
        help="Sample the answer at this temperature; without it the likeliest token is taken.",
    ),
    click.option("--seed", type=click.IntRange(min=0), help="Seed of the sampling; needs --temperature."),
)


def answering(function: _Function) -> _Function:
    """Add the options that say how answers are made."""
    for option in reversed(_ANSWERING):
        function = option(function)
    return function


def check_sampling(temperature: float | None, seed: int | None) -> None:
    """Refuse a seed that would do nothing."""
    if seed is not None and temperature is None:
        raise click.UsageError("--seed does nothing without --temperature")


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}
