"""Targets of several photographs, joined and picked from, stay with their photographs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.images.transforms import Frame
from tests.engine.tiny import TINY
from trainer.learning.targets import FullTargets, LowResTargets, MaskTargets

SIDE = TINY.pixel_encoder.image_size
LOW = 4 * TINY.pixel_encoder.grid


def _masks(count: int, height: int, width: int) -> list[np.ndarray]:
    """Rectangles of different sizes in the upper left corner."""
    masks = [np.zeros((height, width), bool) for _ in range(count)]
    for number, mask in enumerate(masks, start=1):
        mask[: number * height // 4, : width // 2] = True
    return masks


def _joined(kind: type[MaskTargets]) -> MaskTargets:
    sizes = ((2, 60, SIDE), (0, SIDE, SIDE), (3, SIDE, 48))
    parts = [kind.write(_masks(n, h, w), Frame.fit(h, w, SIDE), TINY) for n, h, w in sizes]
    return kind.join(parts)


@pytest.mark.parametrize("kind", [LowResTargets, FullTargets])
def test_the_loss_of_picked_masks_does_not_depend_on_their_order(kind: type[MaskTargets]) -> None:
    targets = _joined(kind)
    assert targets.image_index.tolist() == [0, 0, 2, 2, 2]
    logits = torch.randn(5, LOW, LOW, generator=torch.Generator().manual_seed(0))
    some = torch.tensor([4, 0, 3])
    picked = targets.pick(some)
    assert len(picked) == 3 and picked.image_index.tolist() == [2, 0, 2]
    bce, dice = picked.losses(logits[some])
    each = [targets.pick(some[n : n + 1]).losses(logits[some[n : n + 1]]) for n in range(3)]
    assert bce.item() == pytest.approx(np.mean([one[0].item() for one in each]), rel=1e-5)
    assert dice.item() == pytest.approx(np.mean([one[1].item() for one in each]), rel=1e-5)


@pytest.mark.parametrize("kind", [LowResTargets, FullTargets])
def test_each_mask_is_compared_with_its_own_target(kind: type[MaskTargets]) -> None:
    targets = _joined(kind)
    low = _joined(LowResTargets)
    assert isinstance(low, LowResTargets)
    right = (low.masks * 2 - 1) * 20
    bce, dice = targets.losses(right)
    assert bce.item() < 0.5 and dice.item() < 0.05
    worse = targets.losses(right.roll(1, dims=0))
    assert worse[0].item() > 4 * bce.item() and worse[1].item() > 4 * dice.item()


@pytest.mark.parametrize("kind", [LowResTargets, FullTargets])
def test_no_masks_cost_nothing_and_keep_the_graph(kind: type[MaskTargets]) -> None:
    targets = kind.write([], Frame.fit(SIDE, SIDE, SIDE), TINY)
    logits = torch.zeros(0, LOW, LOW, requires_grad=True)
    bce, dice = targets.losses(logits)
    (bce + dice).backward()
    assert bce.item() == dice.item() == 0 and len(targets) == 0


def test_only_full_targets_take_a_photograph_of_any_size() -> None:
    height, width = 2 * SIDE, SIDE
    frame = Frame.fit(height, width, SIDE)
    assert len(FullTargets.write(_masks(1, height, width), frame, TINY)) == 1
    with pytest.raises(ValueError, match="not resized"):
        LowResTargets.write(_masks(1, height, width), frame, TINY)
