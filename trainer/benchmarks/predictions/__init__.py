"""Predictions in the official layouts, read and written, so that other scripts and this one can check each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
