"""What `mglmm doctor` prints for people."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from engine.doctor import Report
from engine.memory import size_text
from mglmm_cli.tables import table_console, titled_table
from mglmm_cli.text import clean

_PIPE_WIDTH = 160
"""Columns where there is no terminal to ask."""


def print_report(report: Report) -> None:
    """Print a table each for the parts, their terms, the memory, this machine and the checks; no empty ones."""
    console = table_console(_PIPE_WIDTH)
    for table in (_parts(report), _terms(report), _memory(report), _machine(report), _checks(report)):
        if table.row_count:
            console.print(table)


def _parts(report: Report) -> Table:
    table = titled_table("Parts", "", "kind", numbers=("parameters", "on disk"))
    for part in report.parts:
        disk = "" if part.disk is None else size_text(part.disk)
        table.add_row(part.name, clean(part.kind), f"{part.parameters:,}", disk)
    if report.parts:
        disks = [part.disk for part in report.parts if part.disk is not None]
        total = sum(part.parameters for part in report.parts)
        table.add_row("total", "", f"{total:,}", size_text(sum(disks)) if disks else "", style="bold")
    return table


def _terms(report: Report) -> Table:
    table = titled_table("Made of, and on what terms", "", "")
    for name, terms in report.terms.items():
        table.add_row(clean(name), clean(terms))
    return table


def _memory(report: Report) -> Table:
    batches = list(dict.fromkeys(one.batch for one in report.memory))
    together = [f"{batch} photograph{'s' * (batch > 1)}" for batch in batches]
    table = titled_table("Memory, estimated", "precision", numbers=("weights alone", *together))
    found = {(one.precision, one.batch): one for one in report.memory}
    for precision in dict.fromkeys(one.precision for one in report.memory):
        row = [found[precision, batch] for batch in batches]
        table.add_row(precision, size_text(row[0].weights), *(size_text(one.total) for one in row))
    return table


def _machine(report: Report) -> Table:
    precisions = list(dict.fromkeys(fit.precision for fit in report.fits))
    table = titled_table("This machine: the largest batch that fits", "device", "", numbers=("free", *precisions))
    found = {(fit.device, fit.precision): fit.batch for fit in report.fits}
    for device in report.devices:
        free = "unknown" if device.free is None else size_text(device.free)
        batches = (str(found.get((device.name, precision)) or "-") for precision in precisions)
        table.add_row(device.name, clean(device.kind), free, *batches)
    return table


def _checks(report: Report) -> Table:
    colours = {"ok": "green", "failed": "bold red", "skipped": "yellow"}
    table = titled_table("Checks", "", "", "")
    for check in report.checks:
        table.add_row(check.name, Text(check.status, colours[check.status]), clean(check.line))
    return table
