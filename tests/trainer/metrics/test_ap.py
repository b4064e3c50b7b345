from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest

from engine.records import RLE
from trainer.metrics.ap import ImageMasks, coco_scores, detection_scores

Encode = Callable[..., RLE]
LoadJson = Callable[[str], Any]


def ap(images: list[ImageMasks], *, id0_quirk: bool = False) -> float:
    scores = detection_scores(images)
    return (scores.official if id0_quirk else scores.corrected).AP


def square(rle: Encode, at: int) -> RLE:
    mask = np.zeros((20, 20))
    mask[at : at + 8, at : at + 8] = 1
    return rle(mask)


def test_perfect_masks_score_one(rle: Encode, capsys: pytest.CaptureFixture[str]) -> None:
    masks = (square(rle, 0), square(rle, 10))
    scores = detection_scores([ImageMasks(masks, masks)]).official
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
    scores = detection_scores([ImageMasks((square(rle, 0),), ())]).official
    assert scores.AP == 0.0 and scores.AR_100 == 0.0


def test_given_areas_sort_by_size(rle: Encode) -> None:
    masks = (square(rle, 0),)
    scores = detection_scores([ImageMasks(masks, masks, gt_areas=(100_000.0,))]).corrected
    assert scores.AP_small == -1.0 and scores.AR_large == pytest.approx(1.0)


@pytest.mark.parametrize("kind", ["segm", "bbox"])
def test_coco_numbers(kind: Literal["segm", "bbox"], load_json: LoadJson) -> None:
    truth = load_json("coco/instances_val2014_100.json")
    scores = coco_scores(truth, load_json(f"coco/instances_val2014_fake{kind}100_results.json"), kind).as_dict()
    expected = load_json("coco/expected.json")[kind]
    assert scores == pytest.approx(expected["computed"], abs=1e-6)
    assert {name: round(value, 3) for name, value in scores.items()} == expected["published_3_digits"]


def test_results_of_unknown_images_are_refused(load_json: LoadJson) -> None:
    truth = load_json("coco/instances_val2014_100.json")
    with pytest.raises(ValueError, match="1 results are about images without ground truth, such as -5"):
        coco_scores(truth, [{"image_id": -5, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 1.0}], "bbox")


def test_ids_must_be_unique_and_complete(rle: Encode) -> None:
    masks = (square(rle, 0),)
    with pytest.raises(ValueError, match="annotation id 3 occurs twice"):
        detection_scores([ImageMasks(masks, (), (3,)), ImageMasks(masks, (), (3,))])
    with pytest.raises(ValueError, match="some images"):
        detection_scores([ImageMasks(masks, (), (3,)), ImageMasks(masks, ())])
    with pytest.raises(ValueError, match="1 true masks but 2 gt_ids"):
        ImageMasks(masks, (), (1, 2))
