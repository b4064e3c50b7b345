"""The mixture of training examples: tasks by weight, data sets by rate inside a task.

Example number `n` is a function of the seed and of `n` alone, so a run that was killed continues with the very
examples that it would have seen. Numbers come in blocks of 4096, in which every pool has its share, shuffled; the
draws of a pool go through its examples in an order that is shuffled anew for every epoch. Both are computed, nothing
is remembered.

Legend: `P` pools.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from engine.errors import UsageError
from engine.text.prompts import Task
from trainer.data.folders import Folder
from trainer.data.shards import Shards
from trainer.data.shuffle import shuffled
from trainer.data.source import ComposedScenes, Drawn, ExampleSource, RecordedConversations, Room
from trainer.recipe import MaskFrame

BLOCK = 4096
"""Shares are kept to one in so many examples."""

_EXAMPLE, _ORDER, _POOL = range(3)  # what a seed is for


@dataclass(frozen=True, slots=True)
class Pool:
    """What is drawn from with a share of its own.

    Attributes:
        name: the set or the folder of records.
        task: of all its records; None for composed scenes, which have conversations of every task.
        weight: how often it is drawn, relative to the others.
        records: how many it holds; photographs for composed scenes.
        source: its examples.
    """

    name: str
    task: Task | None
    weight: float
    records: int
    source: ExampleSource

    @property
    def examples(self) -> int:
        """How many are drawn before one comes twice."""
        return len(self.source)


class Mixture:
    """Training examples by number.

    Args:
        pools: what is drawn from, at least one.
        seed: of the whole run.

    Raises:
        UsageError: if there is no pool, or one is empty.
    """

    def __init__(self, pools: Sequence[Pool], seed: int) -> None:
        if not pools:
            raise UsageError("nothing to train on: the recipe names no sets and no records")
        for pool in pools:
            if not pool.examples:
                raise UsageError(f"{pool.name}: holds no photographs")
        self.pools = tuple(pools)
        self.seed = seed
        self._counts = _quotas([pool.weight for pool in pools])
        self._block: tuple[int, np.ndarray] | None = None

    @classmethod
    def of(
        cls,
        folders: Mapping[str, Folder],
        sets: Mapping[str, float],
        records: Sequence[tuple[Shards, float]],
        tasks: Mapping[Task, float],
        *,
        side: int,
        mask_frame: MaskFrame,
        text_tokens: int,
        room: Room,
        seed: int,
        train: bool = True,
    ) -> Self:
        """The mixture that a recipe describes.

        Args:
            folders: the composed sets by name; those of `sets` at least.
            sets: weight of each composed set.
            records: data sets with their rates inside a task.
            tasks: weight of each task of the records; none for every task that they hold, each with weight 1.
            side: of the pixel view.
            mask_frame: where masks are compared; decides in which frame photographs of records are handed over.
            text_tokens: of a row, with all conversations of an example.
            room: what the model can read of one conversation.
            seed: of the whole run.
            train: vary the photographs of composed sets; without it they are as they are.

        Raises:
            UsageError: if a task has no records, or records have none of the tasks.
        """
        pools = [
            Pool(name, None, sets[name], len(folders[name]), ComposedScenes(folders[name], side, room, train=train))
            for name in sorted(sets)
        ]
        held = sorted({task for shards, _ in records for task in shards.tasks})
        weights = tasks or dict.fromkeys(held, 1.0)
        for shards, _ in records:
            if not set(shards.tasks) & set(weights):
                raise UsageError(f"{shards.folder}: holds {', '.join(shards.tasks)}, but tasks names none of them")
        for task in sorted(weights):
            if task not in held:
                raise UsageError(f"tasks: no records of {task}; there are {', '.join(held) or 'none at all'}")
            having = [(shards, rate) for shards, rate in records if task in shards.tasks]
            total = sum(rate for _, rate in having)
            for shards, rate in having:
                frame = side if mask_frame == "low_res" else None
                source = RecordedConversations(shards, task, text_tokens=text_tokens, room=room, side=frame)
                pools.append(Pool(str(shards.folder), task, weights[task] * rate / total, source.records, source))
        return cls(pools, seed)

    @property
    def shares(self) -> tuple[float, ...]:
        """The share of each pool among the examples drawn, as it is kept."""
        return tuple(int(count) / BLOCK for count in self._counts)

    @property
    def remarks(self) -> list[str]:
        """What becomes of long conversations, a line each."""
        return [f"{pool.name}, {pool.task}: {pool.source.remark}" for pool in self.pools if pool.source.remark]

    @property
    def lengths_known(self) -> bool:
        """Whether `length` knows every example."""
        return all(pool.task is not None for pool in self.pools)

    def place(self, number: int) -> tuple[int, int]:
        """Which pool example `number` comes from, and which of its examples it is."""
        block, inside = divmod(number, BLOCK)
        order = self._order(block)
        pool = int(order[inside])
        drawn = block * int(self._counts[pool]) + int(np.count_nonzero(order[:inside] == pool))
        size = self.pools[pool].examples
        epoch, position = divmod(drawn, size)
        return pool, shuffled(position, size, (self.seed, _POOL, pool, epoch))

    def length(self, number: int) -> int | None:
        """About how many tokens example `number` has, if that is known before it is drawn."""
        pool, which = self.place(number)
        return self.pools[pool].source.length(which)

    def draw(self, number: int) -> Drawn:
        """Example `number` of the run.

        Raises:
            UsageError: if its photograph can't be used; names it.
        """
        pool, which = self.place(number)
        return self.pools[pool].source.draw(which, np.random.default_rng([self.seed, _EXAMPLE, number]))

    def _order(self, block: int) -> np.ndarray:
        """The pool of each example of a block: `(BLOCK,)`."""
        if self._block is None or self._block[0] != block:
            pools = np.repeat(np.arange(len(self.pools)), self._counts)
            rng = np.random.default_rng([self.seed, _ORDER, block])
            self._block = block, rng.permutation(pools)
        return self._block[1]


def _quotas(weights: Sequence[float]) -> np.ndarray:
    """How many examples of a block each pool gives, at least one each: `(P,)`, together `BLOCK`."""
    exact = np.array(weights) / sum(weights) * (BLOCK - len(weights))
    counts = np.floor(exact).astype(np.int64)
    # The largest remainders take what rounding has left over.
    counts[np.argsort(counts - exact, kind="stable")[: BLOCK - len(weights) - counts.sum()]] += 1
    return counts + 1
