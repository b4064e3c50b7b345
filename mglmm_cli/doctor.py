"""`mglmm doctor`: what a model is made of, what it needs, and whether it is sound."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from mglmm_cli.codes import Exit
from mglmm_cli.options import DEVICE, PRECISION

if TYPE_CHECKING:
    from engine.doctor import Report


@click.command()
@click.argument("model", metavar="MODEL")
@PRECISION
@DEVICE
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def doctor(model: str, precision: str, device: str, as_json: bool) -> Exit:
    """Examine MODEL: sizes, memory, whether its files agree, and a self-test.

    MODEL is what --model takes elsewhere. --precision and --device are those of the self-test. The exit code is 1 if a
    check fails.
    """
    from engine.doctor import examine
    from engine.model.precision import named
    from mglmm_cli.doctor_table import print_report
    from mglmm_cli.releases import located

    report = examine(located(model), precision=named(precision), device=device)
    if as_json:
        click.echo(json.dumps(_to_json(report), indent=2))
    else:
        print_report(report)
    return Exit.DONE if report.passed else Exit.FAILED


def _to_json(report: Report) -> dict[str, object]:
    return asdict(report) | {"passed": report.passed}
