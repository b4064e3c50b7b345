"""The door for programs: load a model, ask it about photographs, and get captions with a mask per phrase.

    import mglmm

    model = mglmm.load("nano")
    for result in model.segcap("photos/"):
        ...

Everything else in this distribution is the inside of it, and may change.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from mglmm.shadowing import ShadowedError, intruder

if TYPE_CHECKING:
    from engine import __version__
    from engine.errors import MglmmError, PhotographError, UsageError
    from mglmm.model import Granularity, Model, Photograph, load
    from mglmm.results import Answer, Failure, Parent, Phrase, Result

__all__ = [
    "Answer",
    "Failure",
    "Granularity",
    "MglmmError",
    "Model",
    "Parent",
    "Photograph",
    "PhotographError",
    "Phrase",
    "Result",
    "UsageError",
    "__version__",
    "load",
]

# What this package is made of; the trainer is not.
if line := intruder("engine", "exporters"):
    raise ShadowedError(line)

# Imported when they are asked for: the model takes torch along, which takes seconds.
_PLACES = {
    "engine": ("__version__",),
    "engine.errors": ("MglmmError", "PhotographError", "UsageError"),
    "mglmm.model": ("Granularity", "Model", "Photograph", "load"),
    "mglmm.results": ("Answer", "Failure", "Parent", "Phrase", "Result"),
}


if not TYPE_CHECKING:  # which would take any name for one of these

    def __getattr__(name: str) -> object:
        for place, names in _PLACES.items():
            if name in names:
                return getattr(import_module(place), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
