"""What `mglmm stats` prints for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple
from itertools import islice

from rich.table import Table

from exporters.labels.quantiles import Quantiles
from exporters.labels.statistics import Captions, Statistics
from mglmm_cli.tables import table_console, titled_table
from mglmm_cli.text import clean

_PIPE_WIDTH = 120
"""Columns where there is no terminal to ask."""
_MOST = 20
"""Categories and phrases that are shown."""
_LONGEST = 60
"""Characters of one."""
_WHY = {
    "empty": "without a pixel",
    "category": "of none of the categories",
    "area": "smaller than --min-area",
    "score": "score below --min-score",
    "group": "of several things (--groups drop)",
    "number": "there are no more ids in the photograph",
}
"""Reasons of `exporters.labels.select`, in words."""


def print_statistics(counted: Statistics) -> None:
    """Print a table each for the run as a whole, captions, masks, sizes and scores, categories and phrases."""
    console = table_console(_PIPE_WIDTH)
    tables = (_photographs(counted), _captions(counted), _masks(counted), _values(counted), *_words(counted))
    for table in tables:
        if table.row_count:
            console.print(table)


def _photographs(counted: Statistics) -> Table:
    photographs = counted.photographs
    table = titled_table("Photographs", "", numbers=("",))
    table.show_header = False
    table.add_row("done", f"{photographs.done:,}")
    table.add_row("  without a label", f"{photographs.unlabelled:,}")
    table.add_row("failed", f"{photographs.failed:,}")
    for stage, number in sorted(photographs.failed_at.items()):
        table.add_row(f"  at {clean(stage)}", f"{number:,}")
    return table


def _captions(counted: Statistics) -> Table:
    headings = ("captions", "cut off", "phrases", "without a label", "masks", "labels")
    table = titled_table("Captions", "granularity", numbers=headings)
    total = Captions(*map(sum, zip(*map(astuple, counted.captions.values()), strict=True)))
    for granularity, row in sorted(counted.captions.items(), reverse=True):
        table.add_row(clean(granularity), *_numbers(astuple(row)))
    if len(counted.captions) > 1:
        table.add_row("total", *_numbers(astuple(total)), style="bold")
    return table


def _masks(counted: Statistics) -> Table:
    masks = counted.masks
    table = titled_table("Masks", "", numbers=("",))
    table.show_header = False
    table.add_row("made", f"{masks.made:,}")
    table.add_row("duplicates, united with another", f"{masks.duplicates:,}")
    for why, number in sorted(masks.left_out.items()):
        table.add_row(f"left out: {_WHY.get(why, why)}", f"{number:,}")
    if masks.parts:
        table.add_row("further parts of groups", f"{masks.parts:,}")
    table.add_row("labels", f"{masks.labels:,}", style="bold")
    table.add_row("  of several things (groups)", f"{masks.groups:,}")
    for name, number in _sizes(counted):
        table.add_row(f"  {name}", f"{number:,}")
    return table


def _sizes(counted: Statistics) -> Iterable[tuple[str, int]]:
    sizes = counted.sizes
    yield "small, below 32 x 32 pixels", sizes.small
    yield "medium", sizes.medium
    yield "large, from 96 x 96 pixels on", sizes.large


def _values(counted: Statistics) -> Table:
    headings = ("least", "5%", "25%", "median", "75%", "95%", "most", "mean")
    table = titled_table("Labels", "", numbers=headings)
    for name, values, digits in (
        ("pixels", counted.sizes.pixels, 0),
        ("score", counted.scores, 3),
        ("name score", counted.name_scores, 3),
    ):
        if values:
            table.add_row(name, *(f"{value:,.{digits}f}" for value in _row(values)))
    return table


def _row(values: Quantiles) -> Sequence[float]:
    shares = (values.p5, values.p25, values.median, values.p75, values.p95)
    return values.least, *shares, values.most, values.mean


def _words(counted: Statistics) -> Iterable[Table]:
    categories = titled_table("Categories", _shown(len(counted.categories)), numbers=("labels", "photographs"))
    for name, number in islice(counted.categories.items(), _MOST):
        categories.add_row(_cut(name), *_numbers(astuple(number)))
    phrases = titled_table("Phrases", _shown(len(counted.phrases)), numbers=("labels",))
    for phrase, labels in islice(counted.phrases.items(), _MOST):
        phrases.add_row(_cut(phrase), f"{labels:,}")
    return categories, phrases


def _cut(words: str) -> str:
    text = clean(words)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _shown(number: int) -> str:
    return f"all {number:,}" if number <= _MOST else f"the first {_MOST} of {number:,}"


def _numbers(row: Iterable[int]) -> Iterable[str]:
    return (f"{number:,}" for number in row)
