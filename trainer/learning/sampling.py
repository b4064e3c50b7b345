"""The stream of training batches: a function of the mixture and of their numbers alone.

Rows of a batch are padded to its longest, so batches are made of rows of like length: the examples of a window of
`WINDOW` optimiser steps are sorted by length and cut into steps, and the steps shuffled. A step is cut into the
batches of the processes, and of the parts in which a process takes its share; so a step has the same examples whatever
the cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TypeVar

import numpy as np
from torch.utils.data import DataLoader, Dataset

from trainer.data.mixture import Mixture
from trainer.learning.batches import Batch, Example, ExampleWriter, collate

WINDOW = 8

_STEPS = 3  # what the generator is for; the mixture has the numbers before
_T = TypeVar("_T")


def batches(
    mixture: Mixture,
    writer: ExampleWriter,
    *,
    pad: int,
    batch_size: int,
    first: int,
    last: int,
    workers: int,
    rank: int = 0,
    ranks: int = 1,
    accumulate: int = 1,
) -> Iterator[Batch]:
    """Batches number `first` to `last - 1` of one process of the run.

    Args:
        mixture: draws examples.
        writer: makes them tensors.
        pad: id of the padding token.
        batch_size: photographs a batch; a step has `batch_size * ranks * accumulate`.
        first, last: half-open range of batches; step `i` has those from `i * accumulate`.
        workers: loader processes; they don't change what comes.
        rank, ranks: which process this is, of how many.
        accumulate: batches of a process in a step.
    """
    # Where lengths are known only once examples are made, one worker makes a window, so that no other does so again.
    together = 1 if mixture.lengths_known else WINDOW * accumulate
    groups = range(first // together, -(-last // together))
    loader: DataLoader[list[Batch]] = DataLoader(
        _Groups(_Maker(mixture, writer, pad, batch_size, rank, ranks, accumulate), first, last, together),
        batch_size=None,
        sampler=groups,
        num_workers=workers,
        collate_fn=_unchanged,
        prefetch_factor=(4 if together == 1 else 1) if workers else None,
    )
    return chain.from_iterable(loader)


def example(mixture: Mixture, writer: ExampleWriter, number: int) -> Example:
    """Example `number` of a mixture as tensors.

    Raises:
        UsageError: see `Mixture.draw`.
    """
    drawn = mixture.draw(number)
    return writer.write(drawn.scene, drawn.conversations, drawn.left_out)


class _Maker:
    """Makes any batch; what it remembers of a window only saves time."""

    def __init__(
        self,
        mixture: Mixture,
        writer: ExampleWriter,
        pad: int,
        batch_size: int,
        rank: int,
        ranks: int,
        accumulate: int,
    ) -> None:
        self._mixture, self._writer, self._pad = mixture, writer, pad
        self._batch_size, self._rank, self._ranks, self._accumulate = batch_size, rank, ranks, accumulate
        self._window = -1
        self._order = np.empty(0, np.int64)
        self._made: dict[int, Example] = {}

    def make(self, number: int) -> Batch:
        step, part = divmod(number, self._accumulate)
        window, place = divmod(step, WINDOW)
        if window != self._window:
            self._plan(window)
        cut = self._order.reshape(WINDOW, -1, self._batch_size)[place, part * self._ranks + self._rank]
        examples = [self._made.pop(n) if n in self._made else self._example(n) for n in cut.tolist()]
        return collate(examples, self._writer.prefix_length, self._pad)

    def _plan(self, window: int) -> None:
        """Put the numbers of a window's examples in order."""
        self._made.clear()
        size = self._batch_size * self._ranks * self._accumulate
        numbers = np.arange(window * WINDOW * size, (window + 1) * WINDOW * size)
        lengths = [self._length(int(number)) for number in numbers]
        steps = np.random.default_rng([self._mixture.seed, _STEPS, window]).permutation(WINDOW)
        self._order = numbers[np.argsort(lengths, kind="stable")].reshape(WINDOW, size)[steps]
        self._window = window

    def _length(self, number: int) -> int:
        known = self._mixture.length(number) if self._mixture.lengths_known else None
        if known is None:
            self._made[number] = self._example(number)
            known = len(self._made[number].ids)
        return known

    def _example(self, number: int) -> Example:
        return example(self._mixture, self._writer, number)


class _Groups(Dataset[list[Batch]]):
    """Batches that are made by one worker, one after the other."""

    def __init__(self, maker: _Maker, first: int, last: int, together: int) -> None:
        self._maker, self._first, self._last, self._together = maker, first, last, together

    def __getitem__(self, group: int) -> list[Batch]:
        start = group * self._together
        wanted = range(max(start, self._first), min(start + self._together, self._last))
        return [self._maker.make(number) for number in wanted]


def _unchanged(group: _T) -> _T:
    return group
