"""The photographs that `mglmm segcap` is given: inputs, or a list of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.errors import UsageError
from mglmm_cli.text import clean

if TYPE_CHECKING:
    from engine.images.coco_list import CocoList
    from engine.images.sources import Source
    from engine.images.tables import Listing

STDIN = "-"
_FAULTS = 20
"""Of a list, that are said one by one."""


@dataclass(frozen=True, slots=True)
class Photographs:
    """What is to be done.

    Attributes:
        inputs: as they were given.
        out: the folder that nothing is taken from.
        sources: the photographs, of which there is at least one.
        left_out: other files that were met so far, how many of each kind.
        listed: the COCO JSON, if that is the input.
        faults: what is wrong with a list, in lines.
        total: how many there are, where that is known.
    """

    inputs: Sequence[str]
    out: Path | None
    sources: Iterator[Source]
    left_out: Mapping[str, int]
    listed: CocoList | None
    faults: Sequence[str]
    total: int | None


def find(listing: Listing | None, inputs: Sequence[str], out: Path | None, root: str | None) -> Photographs:
    """The photographs of the inputs; what is wrong with a list of them is said."""
    from engine.images.sources import find_sources
    from engine.images.tables import find_listed

    given = [listing.path] if listing else list(inputs)
    # Without its buffer: that is locked while a thread waits for more, and Python's end would find it so.
    stdin = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer) if STDIN in given else None
    sources = find_listed(listing, stdin, out) if listing else find_sources(inputs, stdin, out, root)
    first = next(sources, None)
    if first is None:
        raise UsageError(f"{'the list on stdin' if STDIN in given else given[0]} names no photograph")
    faults = sources.faults
    photographs = Photographs(
        given, out, chain([first], sources), sources.left_out, sources.listed, faults, sources.total
    )
    for fault in faults[:_FAULTS]:
        click.echo(f"mglmm: {clean(fault)}", err=True)
    if (more := len(faults) - _FAULTS) > 0:
        click.echo(f"mglmm: {clean(given[0])}: {more} more are left out", err=True)
    return photographs


def listing_of(inputs: Sequence[str], path: str | None, column: str | None, root: str | None) -> Listing | None:
    """The list that was given, if it was.

    Raises:
        click.UsageError: if there is neither that nor an input, or both.
    """
    from engine.images.tables import Listing

    if path is None:
        if column is not None:
            raise click.UsageError("--column is of a list: give one with --list")
        if not inputs:
            raise click.UsageError("Missing argument 'INPUT...': give photographs, folders or patterns, or --list FILE")
        return None
    if inputs:
        raise click.UsageError("--list names the photographs: leave out INPUT")
    return Listing(path, column, root)
