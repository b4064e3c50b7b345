"""Pictures as annotation: a number for every pixel, written in one of the many ways in which pictures are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.errors import PhotographError
from engine.images.samples import read_samples
from trainer.data.formats.polygons import Note, ignore


def read_index(source: Path | bytes, what: str, note: Note = ignore) -> np.ndarray:
    """One number per pixel, `height x width`; those of a palette are its indices, not its colours.

    Three equal channels are one, and an alpha channel that hides nothing is none.

    Args:
        source: the picture's file, or its content.
        what: it is, for messages.
        note: told if it is turned.

    Raises:
        ValueError: if it can't be read, or has several numbers per pixel.
    """
    samples = _without_alpha(_samples(source, what, note), what)
    if samples.ndim == 3 and (samples == samples[..., :1]).all():
        samples = samples[..., 0]
    if samples.ndim != 2 or not np.issubdtype(samples.dtype, np.integer):
        raise ValueError(f"{what} with more than one number per pixel")
    return samples


def read_colours(source: Path | bytes, what: str, note: Note = ignore) -> np.ndarray:
    """Three numbers per pixel, `height x width x 3`.

    Args:
        source, what, note: as `read_index` takes them.

    Raises:
        ValueError: if it can't be read, or has other channels.
    """
    samples = _without_alpha(_samples(source, what, note, colours=True), what)
    if samples.ndim != 3 or samples.shape[2] != 3:
        raise ValueError(f"{what} that is not in three colours")
    return samples


def _samples(source: Path | bytes, what: str, note: Note, *, colours: bool = False) -> np.ndarray:
    try:
        samples = read_samples(source, colours=colours)
    except PhotographError as error:
        raise ValueError(f"{what} that can't be read: {error.reason}") from None
    if samples.turned:
        note(f"{what} with an EXIF orientation: it is turned by it, as its photograph would be")
    return samples.values


def _without_alpha(samples: np.ndarray, what: str) -> np.ndarray:
    if samples.ndim == 3 and samples.shape[2] in (2, 4):
        if (samples[..., -1] != 255).any():
            raise ValueError(f"{what} that is transparent in places")
        samples = samples[..., :-1]
    return samples
