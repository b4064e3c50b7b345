import pytest
import torch

from engine.images.transforms import Frame
from engine.masks import rle
from engine.masks.postprocess import low_res_areas, to_masks, upscale

SIDE = 96


def _half(rows: int) -> torch.Tensor:
    """Low-res logits `(1, 32, 32)`: the upper `rows` rows are foreground."""
    low_res = torch.full((1, 32, 32), -8.0)
    low_res[:, :rows] = 8.0
    return low_res


@pytest.mark.parametrize(("height", "width"), [(120, 120), (60, 120), (120, 60), (33, 500)])
def test_masks_come_back_in_the_original_frame(height: int, width: int) -> None:
    frame = Frame.fit(height, width, SIDE)
    # Foreground is the upper half of the photograph, not of the padded view.
    (mask,) = to_masks(_half(round(32 * frame.inner_height / SIDE / 2)), frame, SIDE)
    found = rle.decode(mask.rle)
    assert found.shape == (height, width)
    assert found[: height // 2 - height // 10].all()
    assert not found[height // 2 + height // 10 + 1 :].any()
    assert mask.area == found.sum()
    assert mask.bbox[:2] == (0, 0) and mask.bbox[2] == width
    assert 0.9 < mask.score <= 1


def test_an_empty_mask_has_no_score() -> None:
    (mask,) = to_masks(_half(0), Frame.fit(50, 70, SIDE), SIDE)
    assert (mask.area, mask.score) == (0, 0.0)


def test_areas_are_shares_of_the_photograph() -> None:
    frame = Frame.fit(60, 120, SIDE)  # the lower half of the view is padding
    torch.testing.assert_close(low_res_areas(_half(8), frame, SIDE), torch.tensor([0.5]))
    assert upscale(_half(8), frame, SIDE).shape == (1, 60, 120)
