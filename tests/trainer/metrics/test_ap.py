from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from engine.records import RLE
from trainer.metrics.ap import ImageMasks, detection_scores

Encode = Callable[..., RLE]


def ap(images: list[ImageMasks], *, id0_quirk: bool = False) -> float:
    return detection_scores(images, id0_quirk=id0_quirk).AP


def square(rle: Encode, at: int) -> RLE:
    mask = np.zeros((20, 20))
    mask[at : at + 8, at : at + 8] = 1
    return rle(mask)


def test_perfect_masks_score_one(rle: Encode, capsys: pytest.CaptureFixture[str]) -> None:
    masks = (square(rle, 0), square(rle, 10))
    scores = detection_scores([ImageMasks(masks, masks)], id0_quirk=True)
    numbers = scores.as_dict()
    assert [numbers[name] for name in ("AP", "AP_small", "AR_1", "AR_10")] == pytest.approx([1.0, 1.0, 0.5, 1.0])
    assert scores.AP_large == -1.0  # no true mask is large
    assert capsys.readouterr().out == ""


def test_the_first_answers_rank_first(rle: Encode) -> None:
    hit = ImageMasks((square(rle, 0),), (square(rle, 0),))
    miss = ImageMasks((square(rle, 0),), (square(rle, 10),))
    # One of two found. Hit first: precision 1 up to recall 0.5, which is 51 of the 101 recall points.
    assert ap([hit, miss]) == pytest.approx(51 / 101)
    assert ap([miss, hit]) == pytest.approx(51 / 101 / 2)


def test_id_0_is_never_found_officially(rle: Encode) -> None:
    masks = (square(rle, 0),)
    zero = [ImageMasks(masks, masks, gt_ids=(0,))]
    assert ap(zero, id0_quirk=True) == 0.0
    assert ap(zero) == pytest.approx(1.0)
    assert ap([ImageMasks(masks, masks, gt_ids=(7,))], id0_quirk=True) == pytest.approx(1.0)


def test_nothing_predicted_scores_zero(rle: Encode) -> None:
    scores = detection_scores([ImageMasks((square(rle, 0),), ())], id0_quirk=True)
    assert scores.AP == 0.0 and scores.AR_100 == 0.0


def test_given_areas_sort_by_size(rle: Encode) -> None:
    masks = (square(rle, 0),)
    scores = detection_scores([ImageMasks(masks, masks, gt_areas=(100_000.0,))], id0_quirk=False)
    assert scores.AP_small == -1.0 and scores.AR_large == pytest.approx(1.0)


def test_ids_must_be_unique_and_complete(rle: Encode) -> None:
    masks = (square(rle, 0),)
    with pytest.raises(ValueError, match="annotation id 3 occurs twice"):
        detection_scores([ImageMasks(masks, (), (3,)), ImageMasks(masks, (), (3,))], id0_quirk=True)
    with pytest.raises(ValueError, match="some images"):
        detection_scores([ImageMasks(masks, (), (3,)), ImageMasks(masks, ())], id0_quirk=True)
    with pytest.raises(ValueError, match="1 true masks but 2 gt_ids"):
        ImageMasks(masks, (), (1, 2))
