"""Predictions in the official layouts, read and written, so that other scripts and this one can check each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.records import RLE
from trainer.benchmarks.benchmark import Size
from trainer.metrics.mgsc import Prediction


@dataclass(frozen=True, slots=True)
class Found:
    """What prediction files hold.

    Attributes:
        answers: by the ids of their questions.
        notes: what a reader must know about the files, a line each.
    """

    answers: Mapping[str, Prediction]
    notes: tuple[str, ...] = ()


def check_sizes(key: str, masks: Sequence[RLE], frame: Size | None = None) -> None:
    """Compare the size of masks with that of their truth or, where it has none, with each other.

    Args:
        key: what the file calls the masks.
        masks: they.
        frame: what is wanted.

    Raises:
        ValueError: naming the first that differs.
    """
    for place, mask in enumerate(masks):
        height, width = frame or (masks[0].height, masks[0].width)
        if (mask.height, mask.width) != (height, width):
            raise ValueError(
                f"{key}[{place}]: a mask of {mask.height} x {mask.width} pixels (height x width) where "
                f"{'the truth' if frame else 'the first'} has {height} x {width}"
            )
