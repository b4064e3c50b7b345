from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.records import RLE
from trainer.metrics.mgsc import GroundTruth, MgscScores, Prediction, RecallScore, Rules, evaluate, recall_pairs

Encode = Callable[..., RLE]


class SameText:
    """Equal texts are similar, others are not."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float64]:
        return np.eye(len(texts), dtype=np.float64)  # the texts come distinct


def bars(rle: Encode) -> list[RLE]:
    """Four bars of 2 x 4 pixels that do not touch."""
    masks = np.zeros((4, 8, 8))
    for index, mask in enumerate(masks):
        mask[:4, 2 * index : 2 * index + 2] = 1
    return [rle(mask) for mask in masks]


def score(gts: list[GroundTruth], preds: list[Prediction], protocol: Rules = "official") -> MgscScores:
    return evaluate(gts, preds, SameText(), protocol, captions=False)


def test_by_hand(rle: Encode) -> None:
    a, b, c, d = bars(rle)
    half = rle(np.pad(np.ones((2, 2)), ((0, 6), (0, 6))))  # half of a
    gts = [
        GroundTruth("x", "", ("cat", "dog", "cup"), (a, b, c)),
        GroundTruth("y", "", ("cat",), (a,)),
    ]
    preds = [
        Prediction("x", "", ("cat", "dog", "car"), (half, b, d)),
        Prediction("y", "", (), ()),
        Prediction("elsewhere", "", (), ()),
    ]
    scores = score(gts, preds)
    assert (scores.images, scores.gt_masks, scores.pred_masks) == (2, 4, 3)
    x = scores.details["x"]
    assert x.miou_pairs == ((1, 1), (0, 0)) and x.miou == pytest.approx((1 + 0.5) / 2)
    assert x.recall_pairs == ((1, 1), (0, 0))  # exactly 0.5 is enough
    assert scores.miou == pytest.approx(0.75 / 2)  # an image without an answer counts
    assert scores.recall == RecallScore(2, 4) and scores.as_dict()["recall"] == 0.5


def test_a_mismatch_ends_the_image_officially(rle: Encode) -> None:
    a, b, _, _ = bars(rle)
    gts = [GroundTruth("x", "", ("cat", "dog"), (a, b))]
    scores = score(gts, [Prediction("x", "", ("cow", "dog"), (a, b))])
    assert scores.recalls is not None
    assert scores.recalls.official == RecallScore(0, 2)
    assert scores.recalls.mismatch_skipped == RecallScore(1, 2)
    assert scores.recalls.corrected == RecallScore(1, 2)


def test_a_malformed_image_leaves_the_official_recall(rle: Encode) -> None:
    a, b, _, _ = bars(rle)
    gts = [GroundTruth("x", "", ("cat", "dog"), (a, b)), GroundTruth("y", "", ("cup",), (a,))]
    preds = [Prediction("x", "", ("cat",), (a, b)), Prediction("y", "", ("cup",), (a,))]
    scores = score(gts, preds)
    assert scores.recalls is not None
    assert scores.recalls.official == scores.recall == RecallScore(1, 1)
    assert scores.details["x"].recall_pairs is None
    assert scores.recalls.sequential == RecallScore(1, 3)
    assert scores.recalls.mismatch_skipped == RecallScore(1, 1)
    corrected = score(gts, preds, "corrected")
    assert corrected.recall == RecallScore(2, 3) and corrected.details["x"].recall_pairs == ((0, 0),)


def test_two_empty_masks(rle: Encode) -> None:
    a, _, _, _ = bars(rle)
    nothing = rle(np.zeros((8, 8)))
    gts = [GroundTruth("x", "", ("cat", "dog"), (a, nothing))]
    preds = [Prediction("x", "", ("cat", "dog"), (a, nothing))]
    official, corrected = score(gts, preds), score(gts, preds, "corrected")
    assert official.miou == 0.0 and official.recall == RecallScore(2, 2)
    assert official.recalls and official.recalls.corrected == corrected.recall and official.miou_corrected == 1.0
    assert corrected.miou == corrected.miou_corrected == 1.0 and corrected.recall == RecallScore(1, 2)


def test_detection_follows_the_protocol(rle: Encode) -> None:
    a, _, _, _ = bars(rle)
    gts = [GroundTruth("x", "", ("cat",), (a,), mask_ids=(0,))]
    preds = [Prediction("x", "", ("cat",), (a,))]
    assert score(gts, preds).detection.AP == 0.0
    assert score(gts, preds, "corrected").detection.as_dict()["AP"] == pytest.approx(1.0)


def test_images_rank_by_code_point(rle: Encode) -> None:
    a, _, _, d = bars(rle)
    gts = [GroundTruth("sa_44_2", "", ("cat",), (a,)), GroundTruth("sa_118_6", "", ("cat",), (a,))]
    preds = [Prediction("sa_44_2", "", ("cat",), (a,)), Prediction("sa_118_6", "", ("cat",), (d,))]
    # The miss of sa_118_6 ranks first although its image comes second.
    assert score(gts, preds).as_dict()["AP"] == pytest.approx(51 / 101 / 2)


def test_missing_answers(rle: Encode) -> None:
    a, _, _, _ = bars(rle)
    gts = [GroundTruth("x", "a cat", ("cat",), (a,))]
    with pytest.raises(ValueError, match="1 of 1 images have no prediction, such as 'x'"):
        score(gts, [])
    assert score(gts, [], "corrected").recall == RecallScore(0, 1)
    scores = evaluate(gts, [Prediction("x", None, (), ())], None)
    assert "1 images have no caption, such as 'x'" in scores.captions.missing["CIDEr"]
    assert scores.recall is None and scores.as_dict()["recall"] is None and scores.as_dict()["CIDEr"] is None


def test_refusals(rle: Encode) -> None:
    a, _, _, _ = bars(rle)
    gt, pred = GroundTruth("x", "", ("cat",), (a,)), Prediction("x", "", (), ())
    with pytest.raises(ValueError, match="no images"):
        score([], [])
    with pytest.raises(ValueError, match="'x' occurs twice"):
        score([gt, gt], [pred])
    with pytest.raises(ValueError, match="'x' has two predictions"):
        score([gt], [pred, pred])
    with pytest.raises(ValueError, match="image 'x': masks of different sizes"):
        score([gt], [Prediction("x", "", ("cat",), (rle([[1]]),))])


def test_thresholds_are_inclusive() -> None:
    half, under = np.array([[0.5]]), np.array([[0.5 - 1e-12]])
    modes: tuple[Literal["stop", "skip"], ...] = ("stop", "skip")
    for mode in modes:
        assert recall_pairs(half, half, on_mismatch=mode, on_unnamed="drop") == ((0, 0),)
        assert recall_pairs(under, half, on_mismatch=mode, on_unnamed="drop") == ()
        assert recall_pairs(half, under, on_mismatch=mode, on_unnamed="drop") == ()


def test_an_unnamed_mask_that_is_not_chosen_is_harmless() -> None:
    iou = np.array([[0.9, 0.4]])
    assert recall_pairs(iou, np.array([[1.0]]), on_mismatch="stop", on_unnamed="drop") == ((0, 0),)
