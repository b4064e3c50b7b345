"""`python -m tests.coverage_by_room FILE...`: a table of how many lines of each room were run, a column per file.

The files are those that `pytest --cov` writes (`$COVERAGE_FILE`, or `.coverage`); columns are named after them.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from coverage import Coverage

ROOT = Path(__file__).resolve().parents[1]
Lines = tuple[Counter[str], Counter[str]]
"""Lines of each room, and those of them that were run."""


def room(path: Path) -> str:
    """`engine.images` for a file below `engine/images`, `engine` for one that lies loose in `engine`."""
    return ".".join(path.relative_to(ROOT).parent.parts[:2])


def count(file: Path) -> Lines:
    """What a data file says of each room."""
    coverage = Coverage(data_file=file, config_file=ROOT / "pyproject.toml")
    coverage.load()
    lines, run = Counter[str](), Counter[str]()
    for path in coverage.get_data().measured_files():
        _, statements, _, missing, _ = coverage.analysis2(path)
        lines[room(Path(path))] += len(statements)
        run[room(Path(path))] += len(statements) - len(missing)
    return lines, run


def table(columns: dict[str, Lines]) -> str:
    """In Markdown."""
    names = sorted(set().union(*(lines for lines, _ in columns.values())))
    rows = [["room", "lines", *columns], ["---", *["---:"] * (len(columns) + 1)]]
    rows += [_row(name, [(lines[name], run[name]) for lines, run in columns.values()]) for name in names]
    rows.append(_row("together", [(lines.total(), run.total()) for lines, run in columns.values()]))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(name: str, found: list[tuple[int, int]]) -> list[str]:
    return [name, str(max(lines for lines, _ in found)), *(f"{run / max(lines, 1):.0%}" for lines, run in found)]


if __name__ == "__main__":
    print(table({Path(name).stem: count(Path(name)) for name in sys.argv[1:]}))
