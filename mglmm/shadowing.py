"""Do `engine`, `trainer` and `exporters` mean packages of mglmm here? The names are plain, and anybody may have them.

Uses the standard library alone: what else is on the path is in doubt.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

_MARK = b"mglmm"
"""Stands in the first lines of our own packages; another distribution may have written over them."""
_FIRST = 200


class ShadowedError(ImportError):
    """Another module is in the place of a package of mglmm; the message is one line with its path and the way out."""


def intruder(*names: str) -> str | None:
    """Look for a module in the place of one of our packages, without importing any.

    Args:
        names: of top-level packages that lie beside this one.

    Returns:
        one line with its path and the way out, or None.
    """
    home = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    for name in names:
        found = _file_of(name)
        if found and not _is_own(found, os.path.join(home, name, "__init__.py")):
            return (
                f"{found} takes the place of mglmm's own package {name!r}: run from another folder, rename it, "
                "or install mglmm into an environment of its own (pipx install, uv tool install)"
            )
    return None


def _file_of(name: str) -> str | None:
    """The file that an import of `name` would run, or has run."""
    module = sys.modules.get(name)
    if module is not None:
        return getattr(module, "__file__", None)
    spec = find_spec(name)
    return spec.origin if spec else None


def _is_own(path: str, own: str) -> bool:
    if os.path.realpath(path) != own:
        return False
    try:
        with open(path, "rb") as file:
            return _MARK in file.read(_FIRST)
    except OSError:  # in an archive: nobody writes over it
        return True
