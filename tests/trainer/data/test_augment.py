"""Augmentation keeps image, masks and text in agreement."""

from __future__ import annotations

import numpy as np
import pytest

from tests.trainer.data.scenes import SIZE, dressed, scene, traffic
from trainer.data.augment import augment
from trainer.data.colours import colour_name, hair_colour
from trainer.data.compose.view import View
from trainer.data.scene import Scene


def test_resize_only_is_the_same_picture() -> None:
    made = augment(traffic(), np.random.default_rng(0), 2 * SIZE, train=False)
    assert made.image.shape == (2 * SIZE, 2 * SIZE, 3)
    for before, after in zip(traffic().things, made.things, strict=True):
        assert np.array_equal(after.mask, before.mask.repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize("seed", range(30))
def test_masks_follow_the_image(seed: int) -> None:
    made = augment(traffic(), np.random.default_rng(seed), 64, train=True)
    assert max(made.image.shape[:2]) == 64
    for thing in made.things:
        assert thing.mask.shape == made.image.shape[:2]
        if thing.label == "bus":
            assert colour_name(made.image, thing.mask) == "red"


def test_a_mirrored_picture_loses_captions_about_sides() -> None:
    spoken = scene("captions", captions=("A dog on the left.", "A dog."))
    kept = {augment(spoken, np.random.default_rng(seed), 40, train=True).captions for seed in range(20)}
    assert kept == {("A dog.",), ("A dog on the left.", "A dog.")}


def test_portraits_occur_and_what_is_out_of_frame_is_gone() -> None:
    cut = [augment(dressed(), np.random.default_rng(seed), 64, train=True) for seed in range(60)]
    portraits = [made for made in cut if "shoes" not in View(made).labels]
    assert portraits
    assert any("shoes" not in View(made).traces for made in portraits)


def test_semantic_keeps_its_frame() -> None:
    base = traffic()
    index = np.arange(SIZE * SIZE).reshape(SIZE, SIZE) % 80
    made = augment(Scene("x", "coco", base.image, base.things, semantic=index), np.random.default_rng(3), 50, True)
    assert made.semantic is not None and made.semantic.shape == made.image.shape[:2]


@pytest.mark.parametrize(
    ("pixel", "name"),
    [
        ((10, 10, 10), "black"), ((250, 250, 250), "white"), ((120, 120, 120), "grey"), ((200, 30, 30), "red"),
        ((245, 130, 20), "orange"), ((110, 70, 40), "brown"), ((240, 220, 40), "yellow"), ((40, 140, 50), "green"),
        ((40, 60, 160), "blue"), ((110, 40, 150), "purple"), ((240, 150, 180), "pink"), ((225, 205, 170), "beige"),
    ],
)  # fmt: skip
def test_colour_names(pixel: tuple[int, int, int], name: str) -> None:
    image = np.full((8, 8, 3), pixel, np.uint8)
    assert colour_name(image, np.ones((8, 8), bool)) == name
    assert colour_name(image, np.zeros((8, 8), bool)) == ""


@pytest.mark.parametrize(
    ("pixel", "name"),
    [
        ((20, 18, 18), "black"), ((90, 65, 45), "brown"), ((210, 180, 130), "blond"), ((150, 60, 30), "red"),
        ((150, 150, 150), "grey"),
    ],
)  # fmt: skip
def test_hair_colours(pixel: tuple[int, int, int], name: str) -> None:
    assert hair_colour(np.full((8, 8, 3), pixel, np.uint8), np.ones((8, 8), bool)) == name
