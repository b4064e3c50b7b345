"""Options that several commands share. An option that was not given is None: the engine knows the defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mglmm_cli.kinds import Number, count

if TYPE_CHECKING:
    from engine.model.checkpoint import Checkpoint

_Function = TypeVar("_Function", bound=Callable[..., Any])

PRECISION = click.option(
    "--precision",
    # Written out: to import engine.model.precision takes seconds.
    type=click.Choice(["auto", "float32", "bfloat16", "float16", "int8", "int4"]),
    default="auto",
    show_default=True,
    help="Of the weights in memory; auto is bfloat16 for a large model on a GPU, else float32.",
)
DEVICE = click.option("--device", default="cpu", show_default=True, help="Where the model runs: cpu, cuda, cuda:1.")
DEVICES = click.option(
    "--devices",
    default="cpu",
    show_default=True,
    help="Where the model runs, a process for each: cpu, cuda, cuda:0,cuda:1, all (CUDA devices), or cpu:2 for two "
    "processes that share the cores.",
)
MODEL = click.option(
    "--model",
    default="nano",
    show_default=True,
    metavar="MODEL",
    help="An embedded model, a model's folder, an official release of MGLMM, GLaMM, LISA or Sa2VA (its folder or hub "
    "name, owner/name; converted once), or random:PRESET.",
)
_MODEL = (MODEL, PRECISION, DEVICE)

_ANSWERING = (
    click.option("--decoder", type=click.Choice(["onnx", "torch"]), help="What runs the mask decoder. [default: onnx]"),
    click.option("--max-new-tokens", type=count(), help="Length limit of an answer. [default: the model's own]"),
    click.option(
        "--temperature",
        type=Number(1e-6, 1e6),
        help="Sample the answer at this temperature; without it the likeliest token is taken.",
    ),
    click.option("--seed", type=count(0, 2**63 - 1), help="Seed of the sampling; needs --temperature."),
    click.option(
        "--max-pixels",
        type=count(most=10**9),
        help="Refuse photographs of more, width x height. One takes up to 10 bytes of memory per pixel (WebP: 16); of "
        "large ones one is decoded at a time. [default: 250000000]",
    ),
)


def model_options(function: _Function) -> _Function:
    """Add the options that say which model runs, and how: `model`, `precision`, `device`, all strings."""
    return _add(_MODEL, function)


def answering(function: _Function) -> _Function:
    """Add the options that say how answers are made."""
    return _add(_ANSWERING, function)


def open_model(model: str, precision: str, device: str) -> Checkpoint:
    """Load the model that the options name.

    Raises:
        UsageError: see `engine.model.checkpoint.load` and `engine.releases.locate.locate`.
    """
    from engine.model.checkpoint import load
    from engine.model.precision import named
    from mglmm_cli.releases import located

    warn_of_runtime(device)
    return load(located(model), precision=named(precision), device=device)


def warn_of_runtime(*devices: str) -> None:
    """Say it on stderr where a CUDA device is asked for and ONNX Runtime may have lost its CUDA."""
    if not any(device.startswith("cuda") for device in devices):
        return
    from engine.model.onnx_runtime import conflict

    if line := conflict():
        click.echo(f"mglmm: {line}", err=True)


def check_sampling(temperature: float | None, seed: int | None) -> None:
    """Refuse a seed that would do nothing."""
    if seed is not None and temperature is None:
        raise click.UsageError("--seed does nothing without --temperature")


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def _add(options: Sequence[Callable[[_Function], _Function]], function: _Function) -> _Function:
    for option in reversed(options):
        function = option(function)
    return function
