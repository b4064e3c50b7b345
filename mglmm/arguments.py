"""Checks of what a program hands over: what is wrong is said before anything runs, with what was expected."""

from __future__ import annotations

import math
import operator
import reprlib
from collections.abc import Sequence
from numbers import Real

from engine.errors import UsageError


def expected(name: str, what: str, value: object) -> UsageError:
    """The error for an argument of another type or value."""
    return UsageError(f"{name} must be {what}, not {described(value)}")


def described(value: object) -> str:
    """A value and its type, in a few words."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):  # an array or tensor: its numbers tell nothing
        return f"{type(value).__name__} of {getattr(value, 'dtype', 'unknown type')} {tuple(shape)}"
    return f"{' '.join(reprlib.repr(value).split())} ({type(value).__name__})"


def one_of(name: str, value: object, choices: Sequence[str]) -> str:
    """One of several words."""
    if not isinstance(value, str) or value not in choices:
        raise expected(name, f"one of {', '.join(map(repr, choices))}", value)
    return str(value)


def text(name: str, value: object) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise expected(name, "a text that is not empty", value)
    return value


def texts(name: str, value: object) -> tuple[str, ...]:
    """A text, or a list of texts, none of them empty."""
    if isinstance(value, str):
        return (text(name, value),)
    if not isinstance(value, list | tuple) or not value:
        raise expected(name, "a text, or a list of texts", value)
    return tuple(text(f"{name}[{number}]", one) for number, one in enumerate(value))


def whole(name: str, value: object, least: int) -> int:
    """A whole number, of whatever library."""
    what = f"a whole number of at least {least}"
    if isinstance(value, bool):
        raise expected(name, what, value)
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # what has no index is what is looked for
    except TypeError:
        raise expected(name, what, value) from None
    if number < least:
        raise expected(name, what, value)
    return number


def positive(name: str, value: object) -> float:
    """A number above 0."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) < math.inf:
        raise expected(name, "a number above 0", value)
    return float(value)
