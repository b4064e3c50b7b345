"""Shares are kept, everything is seen once before anything is seen twice, and nothing hangs on what came before."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from engine.errors import UsageError
from engine.text.prompts import Task
from tests.trainer.data.recording import ENDLESS, caption, photographs, referring, store
from trainer.data.folders import Folder, Item
from trainer.data.mixture import BLOCK, Mixture, Pool
from trainer.data.shards import Shards
from trainer.data.source import Drawn


class Numbers:
    """A source without photographs."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __len__(self) -> int:
        return self._size

    remark = ""

    def length(self, number: int) -> None:
        return None

    def draw(self, number: int, rng: np.random.Generator) -> Drawn:
        raise NotImplementedError


def _pools(*entries: tuple[float, int]) -> list[Pool]:
    return [Pool(f"p{n}", None, weight, size, Numbers(size)) for n, (weight, size) in enumerate(entries)]


def test_every_block_keeps_the_shares() -> None:
    mixture = Mixture(_pools((3.0, 10), (1.0, 10), (1e-9, 10)), seed=1)
    assert sum(mixture.shares) == 1
    assert mixture.shares == pytest.approx((0.75, 0.25, 1 / BLOCK), abs=2 / BLOCK)
    for block in (0, 7):
        drawn = Counter(mixture.place(block * BLOCK + n)[0] for n in range(BLOCK))
        assert tuple(drawn[pool] / BLOCK for pool in range(3)) == mixture.shares


def test_everything_is_seen_once_before_anything_is_seen_twice() -> None:
    size = 700
    mixture = Mixture(_pools((1.0, size), (2.0, 5)), seed=1)
    seen = [which for pool, which in map(mixture.place, range(3 * BLOCK)) if pool == 0]
    assert len(seen) > 4 * size
    epochs = [seen[start : start + size] for start in range(0, 4 * size, size)]
    for epoch in epochs:
        assert sorted(epoch) == list(range(size))
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_an_example_is_a_function_of_seed_and_number_alone() -> None:
    numbers = [0, 1, 5000, 12345, 10**9]
    forward = Mixture(_pools((1.0, 50), (1.0, 60)), seed=1)
    backward = Mixture(_pools((1.0, 50), (1.0, 60)), seed=1)
    places = [forward.place(number) for number in numbers]
    assert places == [backward.place(number) for number in reversed(numbers)][::-1]
    other = Mixture(_pools((1.0, 50), (1.0, 60)), seed=2)
    assert [other.place(number) for number in range(50)] != [forward.place(number) for number in range(50)]


def _shards(folder: Path) -> tuple[Shards, Shards]:
    photographs(folder, ["a.png", "b.png", "c.png"])
    first = store(folder / "first", [referring("a.png", "a cup"), caption("a.png"), referring("b.png", "a mat")])
    return first, store(folder / "second", [referring("c.png", "a hat")])


def _mixture(records: list[tuple[Shards, float]], tasks: dict[Task, float], **folders: Folder) -> Mixture:
    rates = dict.fromkeys(folders, 2.0)
    return Mixture.of(folders, rates, records, tasks, side=30, mask_frame="full", text_tokens=100, room=ENDLESS, seed=0)


def test_tasks_go_by_weight_and_data_sets_by_rate_inside_a_task(tmp_path: Path) -> None:
    first, second = _shards(tmp_path)
    mixture = _mixture([(first, 3.0), (second, 1.0)], {Task.REFERRING: 4.0, Task.CAPTION: 1.0})
    found = {(Path(pool.name).name, pool.task): (pool.weight, pool.examples, pool.records) for pool in mixture.pools}
    assert found == {
        ("first", Task.CAPTION): (1.0, 1, 1),
        ("first", Task.REFERRING): (3.0, 2, 2),
        ("second", Task.REFERRING): (1.0, 1, 1),
    }
    drawn = [mixture.draw(number) for number in range(200)]
    labels = Counter(one.conversations[0].instruction for one in drawn)
    assert set(labels) == {"Segment a cup.", "Segment a mat.", "Segment a hat.", "Describe it."}
    assert labels["Segment a cup."] == pytest.approx(labels["Segment a mat."], abs=1)
    again = mixture.draw(17)
    assert again.conversations[0].instruction == drawn[17].conversations[0].instruction
    np.testing.assert_array_equal(again.scene.image, drawn[17].scene.image)


def test_without_weights_every_task_is_drawn_alike_beside_the_composed_sets(tmp_path: Path) -> None:
    first, second = _shards(tmp_path)
    folder = Folder("captions", (Item("a.png", tmp_path / "images" / "a.png", captions=("A grey picture of a cup.",)),))
    mixture = _mixture([(first, 1.0), (second, 1.0)], {}, captions=folder)
    weights: Counter[Task | None] = Counter()
    for pool in mixture.pools:
        weights[pool.task] += pool.weight  # type: ignore[assignment]
    assert weights == {None: 2.0, Task.REFERRING: 1.0, Task.CAPTION: 1.0}
    kinds = Counter(mixture.draw(number).scene.kind for number in range(60))
    assert set(kinds) == {"captions", "records"}


def test_a_mixture_that_can_t_be_is_an_error(tmp_path: Path) -> None:
    first, second = _shards(tmp_path)
    with pytest.raises(UsageError, match=r"tasks: no records of gcg; there are caption, referring"):
        _mixture([(first, 1.0)], {Task.GCG: 1.0, Task.CAPTION: 1.0})
    with pytest.raises(UsageError, match=r"second: holds referring, but tasks names none of them"):
        _mixture([(first, 1.0), (second, 1.0)], {Task.CAPTION: 1.0})
    with pytest.raises(UsageError, match="nothing to train on"):
        _mixture([], {})
    with pytest.raises(UsageError, match="captions: holds no photographs"):
        _mixture([], {}, captions=Folder("captions", ()))
