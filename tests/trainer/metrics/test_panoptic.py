from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer.benchmarks.panoptic_files import read_ids
from trainer.metrics.panoptic import ClassCount, PanopticImage, Segment, count_matches, panoptic_scores

LoadJson = Callable[[str], Any]


def test_reference_numbers(metrics_root: Path, load_json: LoadJson) -> None:
    truth = load_json("panoptic/gt.json")
    answers = {entry["image_id"]: entry for entry in load_json("panoptic/pred.json")["annotations"]}

    def image(entry: Any) -> PanopticImage:
        answer = answers[entry["image_id"]]
        return PanopticImage(
            str(entry["image_id"]),
            read_ids(metrics_root / "panoptic/gt" / entry["file_name"]),
            tuple(Segment(s["id"], s["category_id"], bool(s["iscrowd"]), s["area"]) for s in entry["segments_info"]),
            read_ids(metrics_root / "panoptic/pred" / answer["file_name"]),
            tuple(Segment(s["id"], s["category_id"]) for s in answer["segments_info"]),
        )

    things = {category["id"]: bool(category["isthing"]) for category in truth["categories"]}
    scores = panoptic_scores(map(image, truth["annotations"]), things)
    expected = load_json("panoptic/expected.json")["panopticapi"]
    for name, quality in (("All", scores.all), ("Things", scores.of_things), ("Stuff", scores.of_stuff)):
        means = {"pq": quality.pq, "sq": quality.sq, "rq": quality.rq, "n": quality.classes}
        assert means == pytest.approx(expected[name], abs=1e-6)
    assert {str(category) for category, count in scores.per_class.items() if count.seen} <= set(expected["per_class"])
    for category, numbers in expected["per_class"].items():
        count = scores.per_class[int(category)]
        found = {name: getattr(count, name) for name in ("pq", "sq", "rq", "tp", "fp", "fn")}
        assert found | {"iou_sum": count.iou} == pytest.approx(numbers, abs=1e-6)


def counts(gt: list[int], pred: list[int], gt_segments: list[Segment], pred_segments: list[Segment]) -> dict[int, Any]:
    image = PanopticImage("x", np.array([gt]), tuple(gt_segments), np.array([pred]), tuple(pred_segments))
    return count_matches(image)


def test_an_iou_of_one_half_does_not_match() -> None:
    half = counts([1, 1, 0, 0], [1, 0, 0, 0], [Segment(1, 7)], [Segment(1, 7)])
    assert half == {7: ClassCount(tp=0, fp=1, fn=1)}
    more = counts([1, 1, 1, 2], [1, 1, 2, 2], [Segment(1, 7), Segment(2, 8)], [Segment(1, 7), Segment(2, 8)])
    assert more == {7: ClassCount(tp=1, iou=2 / 3), 8: ClassCount(fp=1, fn=1)}


def test_void_is_forgiven_and_so_are_crowds() -> None:
    # Two of three pixels on void: neither wrong nor, as the third is right, in the way of a match.
    assert counts([1, 0, 0], [1, 1, 1], [Segment(1, 7)], [Segment(1, 7)]) == {7: ClassCount(tp=1, iou=1.0)}
    assert counts([0, 0, 1], [2, 2, 2], [Segment(1, 7)], [Segment(2, 8)]) == {7: ClassCount(fn=1)}
    crowd = Segment(1, 7, crowd=True)
    assert counts([1, 1, 1], [2, 2, 2], [crowd], [Segment(2, 7)]) == {}
    assert counts([1, 1, 1], [2, 2, 2], [crowd], [Segment(2, 8)]) == {8: ClassCount(fp=1)}


def test_maps_and_segments_must_agree() -> None:
    with pytest.raises(ValueError, match="the predicted map has the id 9"):
        counts([1], [9], [Segment(1, 7)], [Segment(2, 7)])
    with pytest.raises(ValueError, match="the predicted segment 2 has no pixel"):
        counts([1], [0], [Segment(1, 7)], [Segment(2, 7)])
    with pytest.raises(ValueError, match="true segment has the id 0"):
        counts([1], [0], [Segment(0, 7)], [])
    with pytest.raises(ValueError, match="1 x 1 pixels, the predicted one 1 x 2"):
        counts([1], [0, 0], [Segment(1, 7)], [])
    image = PanopticImage("x", np.array([[1]]), (Segment(1, 7),), np.array([[0]]), ())
    with pytest.raises(ValueError, match="image 'x': unknown category 7"):
        panoptic_scores([image], {8: True})
    with pytest.raises(ValueError, match="occurs twice"):
        panoptic_scores([image, image], {7: True})
