"""A shuffled order of any number of things that takes no memory: where one stands is computed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_ROUNDS = 4
_WORD = (1 << 64) - 1


def shuffled(position: int, size: int, key: Sequence[int]) -> int:
    """Which of `size` things stands at `position` of the order that belongs to `key`.

    A Feistel network permutes the numbers below a power of four; a number that is too large is permuted again until
    it is not.

    Args:
        position: from 0 to `size - 1`.
        size: how many there are.
        key: numbers, none negative; every key has an order of its own.
    """
    if not 0 <= position < size:
        raise IndexError(position)
    half = ((size - 1).bit_length() + 1) // 2
    low = (1 << half) - 1
    keys = [int(word) for word in np.random.SeedSequence(tuple(key)).generate_state(_ROUNDS, np.uint64)]
    value = position
    while True:
        left, right = value >> half, value & low
        for word in keys:
            left, right = right, left ^ (_mixed(right ^ word) & low)
        value = left << half | right
        if value < size:
            return value


def _mixed(value: int) -> int:
    """The last steps of the generator splitmix64: every bit of the result hangs on every bit of the value."""
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & _WORD
    value = (value ^ value >> 27) * 0x94D049BB133111EB & _WORD
    return value ^ value >> 31
