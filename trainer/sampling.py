"""The stream of training examples: example number `n` is a function of the seed and `n` alone.

So a run that was killed continues with the very examples that it would have seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Dataset

from trainer.batches import Batch, Example, ExampleWriter, collate
from trainer.data.augment import augment
from trainer.data.compose import conversations
from trainer.data.folders import Folder
from trainer.recipe import SetName


class _Examples(Dataset[Example]):
    def __init__(
        self, sets: Mapping[str, Folder], rates: Mapping[SetName, float], writer: ExampleWriter, size: int, seed: int
    ) -> None:
        self._sets = sets
        self._names = sorted(rates)
        total = sum(rates.values())
        self._rates = [rates[name] / total for name in self._names]
        self._writer, self._size, self._seed = writer, size, seed

    def __getitem__(self, number: int) -> Example:
        rng = np.random.default_rng([self._seed, number])
        while True:
            scenes = self._sets[self._names[rng.choice(len(self._names), p=self._rates)]]
            scene = scenes.load(scenes.items[rng.integers(len(scenes.items))])
            scene = augment(scene, rng, self._size, train=True)
            found = conversations(scene, rng)
            # A crop may leave nothing to talk about.
            if found:
                return self._writer.write(scene, found)


def batches(
    folders: Mapping[str, Folder],
    rates: Mapping[SetName, float],
    writer: ExampleWriter,
    *,
    size: int,
    seed: int,
    pad: int,
    batch_size: int,
    first: int,
    last: int,
    workers: int,
) -> Iterator[Batch]:
    """Batches number `first` to `last - 1` of the run.

    Args:
        folders: the sets, by name.
        rates: how often each set is drawn.
        writer: makes examples.
        size: longest side of a photograph in pixels.
        seed: of the whole run.
        pad: id of the padding token.
        batch_size: photographs a batch.
        first, last: half-open range of steps.
        workers: loader processes.
    """
    dataset = _Examples(folders, rates, writer, size, seed)
    loader: DataLoader[Any] = DataLoader(
        dataset,
        batch_sampler=_steps(batch_size, first, last),
        num_workers=workers,
        collate_fn=_Collate(writer.prefix_length, pad),
        prefetch_factor=4 if workers else None,
    )
    yield from loader


def _steps(batch_size: int, first: int, last: int) -> Sequence[list[int]]:
    return [list(range(step * batch_size, (step + 1) * batch_size)) for step in range(first, last)]


class _Collate:
    """Picklable, for loader processes."""

    def __init__(self, prefix: int, pad: int) -> None:
        self._prefix, self._pad = prefix, pad

    def __call__(self, examples: Sequence[Example]) -> Batch:
        return collate(examples, self._prefix, self._pad)
