"""Low-res logits at a photograph's size, only where they can be positive, and never all of them at once.

What is mixed from numbers that are not positive is not positive either. So of SAM's two interpolations only what a
positive number has a share in is computed. They are taken one axis after the other, which gives the very numbers of
the two-dimensional interpolation: it, too, first mixes along the rows and then two of them.

Legend: `m` side of the low-res logits, `S` side of the pixel view, `H x W` original frame.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.images.transforms import Frame

_BLOCK = 32_768
"""Numbers computed at a time: they stay in the cache, and torch starts no threads of its own for so few."""

_BESIDE = 3
"""Neighbours of positive numbers whose value matters: what is next to a positive number after the first
interpolation is mixed from no others, as it never makes an axis shorter."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Some numbers of some lines of a grid; those left out around them are not positive.

    Attributes:
        values: float32, `(lines, positions)`.
        line, position: where the first of them lies.
    """

    values: np.ndarray
    line: int
    position: int


def columns(low_res: Tensor, frame: Frame, side: int) -> Iterator[Lines]:
    """The columns of the logits of one mask in the original frame, from left to right, a few at a time.

    Args:
        low_res: `(m, m)` float32 logits, on the CPU.
        frame: where the photograph lies in the view.
        side: `S`, not less than `m`.
    """
    size = len(low_res)
    # What the view has below and to the right of the photograph is padding.
    wide = _stretched(Lines(low_res.numpy(), 0, 0), size, side, frame.inner_width)
    view = _stretched(_turned(wide), size, side, frame.inner_height)
    wide = _stretched(_turned(view), frame.inner_width, frame.width, frame.width)
    yield from _stretch(_turned(wide), frame.inner_height, frame.height, frame.height)


def _turned(lines: Lines) -> Lines:
    return Lines(lines.values.T, lines.position, lines.line)


def _stretched(lines: Lines, source: int, target: int, seen: int) -> Lines:
    """All that `_stretch` gives, in one."""
    parts = list(_stretch(lines, source, target, seen))
    if not parts:
        return Lines(np.zeros((0, 0), np.float32), 0, 0)
    first, start = parts[0].line, min(part.position for part in parts)
    stop = max(part.position + part.values.shape[1] for part in parts)
    values = np.zeros((parts[-1].line + len(parts[-1].values) - first, stop - start), np.float32)
    for part in parts:
        count, width = part.values.shape
        line, position = part.line - first, part.position - start
        values[line : line + count, position : position + width] = part.values
    return Lines(values, first, start)


def _stretch(lines: Lines, source: int, target: int, seen: int) -> Iterator[Lines]:
    """Interpolate along the lines, some of them at a time.

    Args:
        lines: with all numbers that are positive.
        source, target: positions of a whole line, before and after.
        seen: only so many of them are wanted.
    """
    positive = lines.values > 0
    found = np.flatnonzero(positive.any(axis=0))
    if not len(found):
        return
    at_once = max(1, _BLOCK // _reach(lines.position + int(found[-1]), source, target, seen)[1])
    for first in range(0, len(positive), at_once):
        last = first + at_once
        found = np.flatnonzero(positive[max(0, first - _BESIDE) : last + _BESIDE].any(axis=0))
        if not len(found):
            continue
        start, _ = _reach(lines.position + int(found[0]), source, target, seen)
        _, stop = _reach(lines.position + int(found[-1]), source, target, seen)
        if start < stop:
            given = slice(max(0, int(found[0]) - _BESIDE), int(found[-1]) + 1 + _BESIDE)
            values = _interpolate(lines.values[first:last, given], lines.position + given.start, source, target, stop)
            yield Lines(values[:, start:], lines.line + first, start)


def _reach(position: int, source: int, target: int, seen: int) -> tuple[int, int]:
    """The first position that one of `source` has a share in, and the first behind; one more on each side."""
    scale = target / source
    start = math.floor((position - 0.5) * scale - 0.5) - 1
    stop = math.ceil((position + 1.5) * scale + 0.5) + 1
    return max(0, start), min(seen, stop)


def _interpolate(values: np.ndarray, position: int, source: int, target: int, stop: int) -> np.ndarray:
    """`(lines, positions)` of lines of `source`, from `position` on, to the first `stop` of `target` positions."""
    # Torch counts from 0. What stands in front has a share in nothing that can be positive.
    lines = np.zeros((1, len(values), position + values.shape[1]), np.float32)
    lines[0, :, position:] = values
    # Torch takes the inverse of this scale: exactly what it would compute from the two sizes.
    scale = 1.0 / float(np.float32(source) / np.float32(target))
    # It only copies where both sizes are the same, so then one more is asked for.
    size = stop + (stop == lines.shape[2])
    enlarged: np.ndarray = torch.ops.aten.upsample_linear1d(torch.from_numpy(lines), [size], False, scale).numpy()
    return enlarged[0, :, :stop]
