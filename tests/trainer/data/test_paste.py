"""Pasted objects: image, masks, classes and what is said stay in agreement."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.trainer.data.scenes import COLOURS, SIZE, scene, traffic
from trainer.data.paste import paste
from trainer.data.scene import IGNORE, Scene

BUS, PERSON, KITE = 6, 1, 34


def _labelled(made: Scene, classes: dict[str, int]) -> Scene:
    semantic = np.zeros((SIZE, SIZE), np.uint8)
    for thing in made.things:
        semantic[thing.mask] = classes[thing.label]
    return replace(made, semantic=semantic)


def _kite() -> Scene:
    return _labelled(scene("coco", ("kite", "blue", (10, 20, 10, 20))), {"kite": KITE})


@pytest.mark.parametrize("seed", range(40))
def test_what_is_pasted_is_in_front_everywhere(seed: int) -> None:
    before = _labelled(traffic(), {"bus": BUS, "person": PERSON})
    made = paste(before, _kite(), np.random.default_rng(seed))
    *rest, kite = made.things
    assert kite.label == "kite" and kite.mask.any()
    inside = kite.mask
    assert made.semantic is not None and (made.semantic[inside] == KITE).all()
    assert before.semantic is not None and np.array_equal(made.semantic[~inside], before.semantic[~inside])
    # Its edge blends with what is behind; the middle is its own.
    assert (np.abs(made.image[inside].astype(int) - COLOURS["blue"]) <= 5).all(axis=-1).mean() > 0.5
    far = np.ones_like(inside)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    far[max(0, rows[0] - 2) : rows[-1] + 3, max(0, columns[0] - 2) : columns[-1] + 3] = False
    assert np.array_equal(made.image[far], before.image[far])
    assert not any((thing.mask & inside).any() for thing in rest)
    for thing in rest:
        (source,) = [old for old in before.things if (old.mask & thing.mask).any()]
        assert source.label == thing.label and np.array_equal(thing.mask, source.mask & ~inside)
    assert made.captions == ()
    assert before.things[0].mask.sum() == 25 * 6 and (before.image == traffic().image).all()


def test_places_and_sizes_vary() -> None:
    kites = [paste(traffic(), _kite(), np.random.default_rng(seed)).things[-1].mask for seed in range(40)]
    areas = sorted(int(mask.sum()) for mask in kites)
    assert areas[0] < 50 and areas[-1] > 120
    assert len({mask.tobytes() for mask in kites}) == 40


def test_what_is_covered_can_be_denied_and_what_left_a_trace_can_not() -> None:
    donor = scene("coco", ("kite", "blue", (8, 29, 8, 29)))
    small = scene("coco", ("cup", "red", (12, 28, 12, 28)))
    made = [paste(small, donor, np.random.default_rng(seed)) for seed in range(200)]
    gone = [one for one in made if {thing.label for thing in one.things} == {"kite"}]
    traces = [one for one in gone if one.slivers == ("cup",)]
    covered = [one for one in gone if not one.slivers]
    whole = [one for one in made if "cup" in {thing.label for thing in one.things}]
    assert traces and covered and whole and len(traces) + len(covered) + len(whole) == len(made)
    for one in covered:
        assert one.things[0].mask[12:28, 12:28].all()
    for one in traces:
        assert 0 < 256 - one.things[0].mask[12:28, 12:28].sum() < 0.15 * 256


@pytest.mark.parametrize(
    "spot", [(0, 10, 10, 20), (30, 40, 10, 20), (10, 20, 0, 10), (10, 20, 30, 40), (10, 12, 10, 14), (2, 38, 2, 38)]
)
def test_objects_that_are_cut_tiny_or_huge_are_not_taken(spot: tuple[int, int, int, int]) -> None:
    before = traffic()
    assert paste(before, scene("coco", ("kite", "blue", spot)), np.random.default_rng(0)) is before


def test_one_to_three_are_taken() -> None:
    spots = [("kite", "blue", (y, y + 6, x, x + 6)) for y in (2, 12, 22) for x in (2, 12, 22)]
    counts = set()
    for seed in range(40):
        made = paste(scene("coco"), scene("coco", *spots), np.random.default_rng(seed))
        assert all(thing.mask.any() for thing in made.things)
        counts.add(len(made.things))
    assert counts == {1, 2, 3}


def test_a_class_that_is_unknown_stays_so() -> None:
    donor = _kite()
    assert donor.semantic is not None
    unknown = replace(donor, semantic=np.full_like(donor.semantic, IGNORE))
    before = replace(traffic(), semantic=np.zeros((SIZE, SIZE), np.uint8))
    made = paste(before, unknown, np.random.default_rng(0))
    assert made.semantic is not None and (made.semantic[made.things[-1].mask] == IGNORE).all()
