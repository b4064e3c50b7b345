"""How tables look, whatever is in them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table


def table_console(pipe_width: int) -> Console:
    """A console on stdout, `pipe_width` columns wide where there is no terminal to ask.

    What looks like rich's markup in a cell stays as it is: cells hold texts of files and models.
    """
    if sys.stdout.isatty():
        return Console(highlight=False, markup=False, emoji=False)
    return _Plain(highlight=False, markup=False, emoji=False, width=pipe_width)


class _Plain(Console):
    """Leaves out the blanks that fill every line of a table: files and pipes keep them."""

    def print(self, *objects: Any, **how: Any) -> None:
        with self.capture() as captured:
            super().print(*objects, **how)
        self.file.write("\n".join(line.rstrip() for line in captured.get().split("\n")))
        self.file.flush()


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
