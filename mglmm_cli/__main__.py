"""`python -m mglmm_cli` is the program `mglmm`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from runpy import run_path


def main() -> None:
    """Run the program and exit; not where another module is in the place of one of its packages."""
    # By its place: a name is what can't be relied upon here.
    shadowing = run_path(os.fspath(Path(__file__).resolve().parents[1] / "mglmm" / "shadowing.py"))
    if line := shadowing["intruder"]("engine", "trainer", "exporters"):
        sys.exit(f"mglmm: {line}")

    from mglmm_cli.main import main as run

    run()


if __name__ == "__main__":
    main()
