"""The Java programs inside `pycocoevalcap`: where they are, and what is said when they can't be run.

They are run from here, because the package's own wrappers write into its installation folder and wait for ever when
Java dies.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

NO_PACKAGE = "pycocoevalcap is not installed: pip install pycocoevalcap"
NO_JAVA = "no java on PATH: install a Java runtime, version 8 or later (the PTB tokenizer and METEOR are Java programs)"


class JavaError(RuntimeError):
    """A Java program ended early or answered something unexpected; the message is one line."""


def java() -> str:
    """The `java` on PATH.

    Raises:
        JavaError: if there is none.
    """
    found = shutil.which("java")
    if found is None:
        raise JavaError(NO_JAVA)
    return found


def package_folder() -> Path:
    """Where `pycocoevalcap` is installed.

    Raises:
        JavaError: if it is not.
    """
    spec = importlib.util.find_spec("pycocoevalcap")
    if spec is None or not spec.submodule_search_locations:
        raise JavaError(NO_PACKAGE)
    return Path(spec.submodule_search_locations[0])


def jar(inside: Path) -> Path:
    """A jar of `pycocoevalcap` by its path inside the package.

    Raises:
        JavaError: if it is not there.
    """
    found = package_folder() / inside
    if not found.is_file():
        raise JavaError(f"{found} is missing: pip install --force-reinstall pycocoevalcap")
    return found


def run(name: str, arguments: Sequence[str], *, folder: Path | None = None) -> bytes:
    """Run a Java program to its end.

    Args:
        name: for messages.
        arguments: of `java`.
        folder: where it runs.

    Returns:
        what it wrote on stdout.

    Raises:
        JavaError: if it fails.
    """
    done = subprocess.run([java(), *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False, cwd=folder)
    if done.returncode:
        raise JavaError(f"{name} ended with code {done.returncode}: {last_line(done.stderr)}")
    return done.stdout


def last_line(text: bytes) -> str:
    """The last line that a program wrote, where it says what is wrong."""
    lines = text.decode("utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
