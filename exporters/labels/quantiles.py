"""Quantiles of any number of values in bounded memory: counted in bins, each of which begins a thousandth higher.

Source: the method of DDSketch (Masson, Rim and Lee, VLDB 2019); here a bin stands for a value that was counted in it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import floor, log

ERROR = 0.001
"""By which share of itself a quantile may be off; least, most and mean are not."""


@dataclass(frozen=True, slots=True)
class Quantiles:
    """A quantile is a value with that share of the others below it: half of them for `median`, 5% for `p5`.

    Attributes:
        count: of the values, at least one.
    """

    count: int
    mean: float
    least: float
    p5: float
    p25: float
    median: float
    p75: float
    p95: float
    most: float


class Spread:
    """Takes values, none below 0. Memory depends on how many powers of ten they span, not on how many they are."""

    def __init__(self) -> None:
        self._counts: Counter[int | None] = Counter()
        self._values: dict[int | None, float] = {}  # the first of each bin
        self._sum = 0.0
        self._least, self._most = float("inf"), 0.0

    def add(self, value: float) -> None:
        """Count one value.

        Raises:
            ValueError: if it is below 0, or no finite number.
        """
        if not 0 <= value < float("inf"):
            raise ValueError(f"{value} is no number from 0 on")
        place = floor(log(value) / log(1 + ERROR)) if value else None
        self._counts[place] += 1
        self._values.setdefault(place, value)
        self._sum += value
        self._least, self._most = min(self._least, value), max(self._most, value)

    def quantiles(self) -> Quantiles | None:
        """What was counted; None if that is nothing."""
        count = self._counts.total()
        if not count:
            return None
        p5, p25, median, p75, p95 = (self._at(share * (count - 1)) for share in (0.05, 0.25, 0.5, 0.75, 0.95))
        return Quantiles(count, self._sum / count, self._least, p5, p25, median, p75, p95, self._most)

    def _at(self, rank: float) -> float:
        """The value of that place, counted from 0, in the order of size."""
        passed = 0
        for value, place in sorted((value, place) for place, value in self._values.items()):
            passed += self._counts[place]
            if passed > rank:
                return value
        return self._most
