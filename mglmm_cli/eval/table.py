"""Scores as tables: in percent, and CIDEr times 100 as papers print it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from mglmm_cli.tables import table_console, titled_table
from mglmm_cli.text import clean
from trainer.benchmarks.benchmark import Report
from trainer.benchmarks.compare import Difference

_WIDTH = 100


def print_report(
    title: str,
    whose: str,
    report: Report,
    baseline: Mapping[str, float | None],
    paper: Mapping[str, float],
    notes: Sequence[str],
) -> None:
    """Print a row per score on stdout, and what a reader must know on stderr.

    Args:
        title: what was scored.
        whose: the model's name.
        report: the scores.
        baseline: those of a baseline, if there is one.
        paper: those of the paper, if it has them.
        notes: about the answers, besides those of the report.
    """
    columns: list[tuple[str, Mapping[str, float | None]]] = [(whose, report.scores)]
    columns += [
        (name, values)
        for name, values in (("corrected", report.corrected), ("baseline", baseline), ("MGLMM paper", paper))
        if values
    ]
    table = titled_table(f"{title}, in percent", "", numbers=[name for name, _ in columns])
    for name in dict.fromkeys(name for _, values in columns for name in values):
        table.add_row(name, *(_percent(values.get(name)) for _, values in columns))
    console = table_console(_WIDTH)
    console.print(table)
    console.print(", ".join(f"{count} {what}" for what, count in report.counts.items()))
    for line in dict.fromkeys([*notes, *report.notes, *_reasons(report.missing)]):
        print(f"mglmm: {clean(line)}", file=sys.stderr)


def print_differences(found: Sequence[Difference]) -> None:
    """Print how two results differ."""
    table = titled_table(
        "Difference, with a 95 % interval (paired bootstrap)", "", numbers=["ours", "other", "difference", "interval"]
    )
    for one in found:
        star = " *" if one.clear else ""
        table.add_row(
            one.name,
            _percent(one.ours),
            _percent(one.other),
            f"{100 * (one.ours - one.other):+.2f}{star}",
            f"{100 * one.low:+.2f} to {100 * one.high:+.2f}",
        )
    console = table_console(_WIDTH)
    console.print(table)
    console.print("* 0 lies outside the interval")


def _percent(value: float | None) -> str:
    # pycocotools says -1 where no true mask is of a size.
    return "" if value is None or value == -1 else f"{100 * value:.2f}"


def _reasons(missing: Mapping[str, str]) -> list[str]:
    """The scores that are missing, by why they are."""
    reasons = dict.fromkeys(missing.values())
    return [f"no {', '.join(name for name, why in missing.items() if why == reason)}: {reason}" for reason in reasons]
