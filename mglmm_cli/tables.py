"""How tables look, whatever is in them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table


def table_console(pipe_width: int) -> Console:
    """A console on stdout, `pipe_width` columns wide where there is no terminal to ask.

    What looks like rich's markup in a cell stays as it is: cells hold texts of files and models.
    """
    return Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else pipe_width)


def titled_table(title: str, *columns: str, numbers: Sequence[str] = ()) -> Table:
    """An empty table.

    Args:
        title: above it.
        columns: headings of columns of text.
        numbers: headings of the columns behind them, which are aligned on the right.
    """
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    for column in numbers:
        table.add_column(column, justify="right")
    return table
