"""Kinds of values that a command line may hold; what is none of them is wrong usage."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import click


class Text(click.ParamType):
    """What a model is to read. A shell hands over bytes; these are UTF-8 whatever the locale says."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            text = os.fsencode(value).decode("utf-8")
        except (UnicodeDecodeError, UnicodeEncodeError) as error:
            self.fail(f"{value!r} is not text in UTF-8, from place {error.start} on", param, ctx)
        return text


class FilePath(click.Path):
    """The path of a file or folder, which an empty text is not: the working folder is `.`."""

    def __init__(self, *, exists: bool = False, file_okay: bool = True, dir_okay: bool = True) -> None:
        super().__init__(exists=exists, file_okay=file_okay, dir_okay=dir_okay, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not os.fspath(value):
            self.fail("the path is empty", param, ctx)
        return super().convert(value, param, ctx)


class Number(click.FloatRange):
    """A number within bounds, which NaN is not."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


class PixelBox(click.ParamType):
    """`x,y,w,h` in pixels."""

    name = "x,y,w,h"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float, float, float]:
        try:
            x, y, width, height = (float(number) for number in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not four numbers x,y,w,h", param, ctx)
        if not all(map(math.isfinite, (x, y, width, height))):
            self.fail(f"{value!r} has a number that is not finite", param, ctx)
        return x, y, width, height


def count(least: int = 1, most: int = 1_000_000) -> click.IntRange:
    """How many of something; not so many that nothing could hold them."""
    return click.IntRange(least, most)


TEXT = Text()
