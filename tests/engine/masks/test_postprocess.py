"""Masks are those of SAM's two interpolations, wherever they lie and however much of that work is left out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.images.transforms import Frame
from engine.masks import rle
from engine.masks.enlarge import columns
from engine.masks.postprocess import low_res_areas, to_masks, upscale
from engine.model.mask_head import LowResMasks
from engine.records import Mask

SIDE = 96


def _half(rows: int) -> torch.Tensor:
    """Low-res logits `(1, 32, 32)`: the upper `rows` rows are foreground."""
    low_res = torch.full((1, 32, 32), -8.0)
    low_res[:, :rows] = 8.0
    return low_res


def _masks(low_res: torch.Tensor, frame: Frame, side: int = SIDE) -> tuple[Mask, ...]:
    return to_masks(LowResMasks(low_res), frame, side)


@pytest.mark.parametrize(("height", "width"), [(120, 120), (60, 120), (120, 60), (33, 500)])
def test_masks_come_back_in_the_original_frame(height: int, width: int) -> None:
    frame = Frame.fit(height, width, SIDE)
    # Foreground is the upper half of the photograph, not of the padded view.
    (mask,) = _masks(_half(round(32 * frame.inner_height / SIDE / 2)), frame)
    found = rle.decode(mask.rle)
    assert found.shape == (height, width)
    assert found[: height // 2 - height // 10].all()
    assert not found[height // 2 + height // 10 + 1 :].any()
    assert mask.area == found.sum()
    assert mask.bbox[:2] == (0, 0) and mask.bbox[2] == width
    assert 0.9 < mask.score <= 1


def test_an_empty_mask_has_no_score() -> None:
    (mask,) = _masks(_half(0), Frame.fit(50, 70, SIDE))
    assert (mask.area, mask.score) == (0, 0.0)


def test_a_predicted_iou_is_the_score_but_of_an_empty_mask() -> None:
    low_res = torch.cat([_half(8), _half(16), _half(0)])
    found = LowResMasks(low_res, torch.tensor([0.75, 0.25, 0.5]))
    masks = to_masks(found, Frame.fit(50, 70, SIDE), SIDE)
    assert [mask.score for mask in masks] == [0.75, 0.25, 0.0]
    assert [mask.rle for mask in masks] == [mask.rle for mask in _masks(low_res, Frame.fit(50, 70, SIDE))]


def test_areas_are_shares_of_the_photograph() -> None:
    frame = Frame.fit(60, 120, SIDE)  # the lower half of the view is padding
    torch.testing.assert_close(low_res_areas(_half(8), frame, SIDE), torch.tensor([0.5]))
    assert upscale(_half(8), frame, SIDE).shape == (1, 60, 120)


def _logits(kind: str, side: int, seed: int) -> torch.Tensor:
    """Low-res logits `(1, side, side)` of every shape that a mask may have."""
    generator = torch.Generator().manual_seed(seed)
    if kind == "specks":
        low_res = torch.full((1, side, side), -3.0)
        for row, column in torch.randint(side, (4, 2), generator=generator).tolist():
            low_res[0, row, column] = 5.0
        return low_res
    if kind == "steps":
        return torch.randn(1, side, side, generator=generator).round() - 1
    cells = int(torch.randint(1, 9, (1,), generator=generator))
    smooth = F.interpolate(torch.randn(1, 1, cells, cells, generator=generator), (side, side), mode="bicubic")[0]
    return {"blobs": 4 * smooth - 1, "faint": 1e-4 * smooth, "nearly all": smooth + 3, "none": -smooth.abs()}[kind]


def _same(low_res: torch.Tensor, frame: Frame, side: int) -> None:
    logits = upscale(low_res, frame, side)[0]
    foreground = (logits > 0).numpy()
    (mask,) = _masks(low_res, frame, side)
    assert mask.rle == rle.encode(foreground[None])[0]
    assert (mask.area, mask.bbox) == (foreground.sum(), rle.bbox(mask.rle))
    score = torch.sigmoid(logits[logits > 0]).mean().item() if mask.area else 0.0
    assert mask.score == pytest.approx(score, abs=1e-6)


@settings(max_examples=150)
@given(
    kind=st.sampled_from(["blobs", "specks", "steps", "faint", "nearly all", "none"]),
    low=st.integers(2, 40),
    side=st.integers(2, 200),
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    seed=st.integers(0, 1000),
)
def test_masks_are_those_of_the_whole_logits(
    kind: str, low: int, side: int, height: int, width: int, seed: int
) -> None:
    _same(_logits(kind, low, seed), Frame.fit(height, width, side), side)


@pytest.mark.parametrize(("low", "side"), [(128, 384), (256, 1024)])
@pytest.mark.parametrize(("height", "width"), [(480, 640), (1365, 1024), (1500, 2000), (333, 1)])
@pytest.mark.parametrize("kind", ["blobs", "specks", "nearly all"])
def test_masks_of_the_real_sizes(low: int, side: int, height: int, width: int, kind: str) -> None:
    _same(_logits(kind, low, 3), Frame.fit(height, width, side), side)


def test_only_what_may_be_positive_is_computed_and_little_at_a_time() -> None:
    frame = Frame.fit(3000, 4000, 1024)
    low_res = torch.full((256, 256), -5.0)
    low_res[100:110, 200:210] = 5.0
    parts = list(columns(low_res, frame, 1024))
    assert sum(part.values.size for part in parts) < 250 * 250
    assert max(part.values.size for part in columns(torch.ones(256, 256), frame, 1024)) < 50_000
    assert not list(columns(-torch.ones(256, 256), frame, 1024))


def test_half_precision_and_gradients_are_no_obstacle() -> None:
    frame = Frame.fit(60, 70, SIDE)
    low_res = _logits("blobs", 32, 1)
    half = low_res.bfloat16()
    assert _masks(half, frame) == _masks(half.float(), frame)
    assert _masks(low_res.requires_grad_(), frame) == _masks(low_res.detach(), frame)


def test_no_masks() -> None:
    assert _masks(torch.zeros(0, 32, 32), Frame.fit(60, 70, SIDE)) == ()
    assert np.array_equal(low_res_areas(torch.zeros(0, 32, 32), Frame.fit(60, 70, SIDE), SIDE).numpy(), np.zeros(0))
