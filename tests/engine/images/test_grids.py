"""The sides of a photograph in its grid, and what of its pixels comes there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.images.decode import Photograph
from engine.images.grids import grid_view, sides_within
from engine.model.config import GridConfig
from engine.model.grids import GridTower

CONFIG = GridConfig()
SMALL = GridConfig(
    patch_size=2,
    merge=2,
    hidden_size=16,
    intermediate_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    position_side=4,
    deep=(0,),
    first_multiple=4,
    first_least=16,
    first_most=1024,
    least_pixels=64,
    most_pixels=256,
)


@pytest.mark.parametrize("multiple", [28, 32])
def test_sides_are_multiples_within_bounds(multiple: int) -> None:
    least, most = CONFIG.least_pixels, CONFIG.most_pixels
    draws = np.random.default_rng(0)
    for height, width in np.exp(draws.uniform(0, 9, (500, 2))).astype(int) + 1:
        sides = sides_within(int(height), int(width), multiple, least, most)
        assert all(side >= multiple and side % multiple == 0 for side in sides)
        assert sides[0] * sides[1] <= most
        if max(height, width) < 100 * min(height, width):
            # One row of multiples more or less is what their proportion may be off by.
            assert sides[0] * sides[1] >= least
            assert abs(sides[0] * width - sides[1] * height) <= multiple * max(height, width) * (1 + 1e-9)


def test_a_plain_photograph_stays_plain() -> None:
    pixels = np.broadcast_to(np.array([0, 255, 51], np.uint8), (30, 50, 3)).copy()
    view = grid_view(Photograph.whole(pixels), CONFIG)
    assert view.shape[1] * view.shape[2] >= CONFIG.least_pixels
    assert torch.allclose(view.amax(dim=(1, 2)), view.amin(dim=(1, 2)))
    assert view[:, 0, 0].tolist() == pytest.approx([-1, 1, -0.6])


def test_only_what_lies_in_the_box_is_seen() -> None:
    pixels = np.full((40, 40, 3), 255, np.uint8)
    pixels[8:32, 4:36] = 0
    inside = Photograph(Photograph.whole(pixels).image, 24, 32, (4, 8, 36, 32))
    view = grid_view(inside, SMALL)
    assert view.shape == (3, 12, 16) and float(view.max()) == -1.0


def test_patches_of_a_token_stand_together() -> None:
    tower = GridTower(SMALL, 8)
    numbers = torch.arange(8 * 12, dtype=torch.float32).reshape(8, 12)
    patches = tower.patches(torch.stack([numbers, numbers + 100, numbers + 200]))
    assert patches.shape == (24, 3 * 2 * 2 * 2)
    # Upper left, upper right, lower left, lower right of the first token, then the token to its right.
    assert patches[:5, 0].tolist() == [0, 2, 24, 26, 4]
    # A channel, the same picture twice, its rows.
    assert patches[0, :8].tolist() == [0, 1, 12, 13] * 2 and patches[0, 8] == 100
    assert patches[12, 0] == 4 * 12
