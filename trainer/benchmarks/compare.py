"""Whether two results on the same questions differ: paired bootstrap.

Questions are drawn with replacement, the same ones for both; a score is a ratio of sums over the draw. Scores that are
no such ratio (AP, Bleu, METEOR, PQ over the set) can't be compared so; their means over questions can.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13 (percentile intervals).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import UsageError
from trainer.benchmarks.benchmark import Share
from trainer.benchmarks.results import Stored

DRAWS = 2_000
_CONFIDENCE = 0.95
_TOGETHER = 1 << 22
"""Draws times questions that are in memory at a time."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Ours minus the other's, with a 95 % interval; it is clear if 0 lies outside."""

    name: str
    ours: float
    other: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """Whether the interval is on one side of 0."""
        return not self.low <= 0 <= self.high


def compare(ours: Stored, other: Stored) -> list[Difference]:
    """The difference in every score that both have.

    Raises:
        UsageError: if the two are not about the same questions with the same truth by the same rules.
    """
    for what, mine, theirs in (
        ("benchmark", ours.scored.benchmark, other.scored.benchmark),
        ("set", ours.scored.dataset, other.scored.dataset),
        ("split", ours.scored.split, other.scored.split),
        ("protocol", ours.scored.protocol, other.scored.protocol),
        ("data", ours.scored.data_hash[:12], other.scored.data_hash[:12]),
        ("text model", ours.scored.text_model_hash[:12], other.scored.text_model_hash[:12]),
    ):
        if mine != theirs:
            raise UsageError(f"the results can't be compared: the {what} was {theirs or 'none'}, is {mine or 'none'}")
    return differences(ours.items, other.items)


def differences(
    ours: Mapping[str, Mapping[str, Share]], other: Mapping[str, Mapping[str, Share]], *, seed: int = 0
) -> list[Difference]:
    """The same from what each question adds; a question that only one of them has counts nothing in the other."""
    names = dict.fromkeys(name for shares in ours.values() for name in shares)
    both = {name for shares in other.values() for name in shares}
    ids = list(dict.fromkeys([*ours, *other]))
    found = []
    for name in names:
        if name in both:
            found.append(_difference(name, _column(ours, ids, name), _column(other, ids, name), seed))
    return found


def _column(items: Mapping[str, Mapping[str, Share]], ids: list[str], name: str) -> NDArray[np.float64]:
    """`[N x 2]` numerators and denominators."""
    return np.array([items.get(one, {}).get(name, (0.0, 0.0)) for one in ids], dtype=np.float64)


def _difference(name: str, ours: NDArray[np.float64], other: NDArray[np.float64], seed: int) -> Difference:
    count = len(ours)
    sums = np.concatenate([ours, other], axis=1)  # [N x 4]
    rng = np.random.default_rng(seed)
    drawn: list[NDArray[np.float64]] = []
    step = max(1, _TOGETHER // count)
    for start in range(0, DRAWS, step):
        picks = rng.integers(count, size=(min(step, DRAWS - start), count))
        weights = np.stack([np.bincount(row, minlength=count) for row in picks])
        totals = weights @ sums  # [draws x 4]
        drawn.append(_ratio(totals[:, :2]) - _ratio(totals[:, 2:]))
    tail = (1 - _CONFIDENCE) / 2
    low, high = np.nanquantile(np.concatenate(drawn), [tail, 1 - tail])
    whole = sums.sum(axis=0)[None]
    return Difference(name, float(_ratio(whole[:, :2])[0]), float(_ratio(whole[:, 2:])[0]), float(low), float(high))


def _ratio(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 where nothing was measured."""
    return np.where(sums[:, 1] > 0, sums[:, 0] / np.where(sums[:, 1] > 0, sums[:, 1], 1.0), 0.0)
