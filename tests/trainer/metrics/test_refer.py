from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.masks.rle import from_coco
from engine.records import RLE
from trainer.metrics.refer import Confusion, Overlap, grefer_scores, overlap, precision, refer_scores

LoadJson = Callable[[str], Any]


@pytest.fixture(scope="module")
def refer(load_json: LoadJson) -> list[Overlap]:
    expressions = [one for item in load_json("refer/data.json")["items"] for one in item["expressions"]]
    return [overlap([from_coco(one["gt"])], [from_coco(one["pred"])]) for one in expressions]


@pytest.fixture(scope="module")
def grefer(load_json: LoadJson) -> list[Overlap]:
    items = load_json("grefer/data.json")["items"]
    return [overlap([from_coco(m) for m in one["gt"]], [from_coco(m) for m in one["pred"]]) for one in items]


@pytest.mark.parametrize("task", ["refer", "grefer"])
def test_reference_numbers(task: str, request: pytest.FixtureRequest, load_json: LoadJson) -> None:
    overlaps: list[Overlap] = request.getfixturevalue(task)
    expected = load_json(f"{task}/expected.json")
    assert [[item.intersection, item.union] for item in overlaps] == expected["per_expression_intersection_union"]
    exact, wanted = refer_scores(overlaps), expected["exact_float64"]["without_eps"]
    assert exact.giou == pytest.approx(wanted["giou"], abs=1e-12)
    assert exact.ciou == pytest.approx(wanted["ciou"], abs=1e-12)
    counts = (exact.intersection, exact.union, exact.expressions)
    assert counts == (wanted["sum_intersection"], wanted["sum_union"], wanted["n"])

    official, wanted = refer_scores(overlaps, "official"), expected["exact_float64"]["with_eps_1e-5"]
    # This reference has the constant of each union, but not that of the number of expressions.
    assert official.giou * (wanted["n"] + 1e-5) / wanted["n"] == pytest.approx(wanted["giou"], abs=1e-12)
    assert official.ciou == pytest.approx(wanted["ciou"], abs=1e-12)
    assert official.giou == pytest.approx(expected["official"]["giou"], abs=1e-6)
    assert official.ciou == pytest.approx(expected["official"]["ciou"], abs=1e-6)


@pytest.mark.parametrize(
    ("min_pixels", "section", "key"),
    [
        (1, "rela", "predicted_no_target_if_merged_mask_has_no_pixel"),
        (50, "variants_not_official", "predicted_no_target_if_merged_mask_has_under_50_pixels"),
    ],
)
def test_rela_numbers(min_pixels: int, section: str, key: str, grefer: list[Overlap], load_json: LoadJson) -> None:
    expected = load_json("grefer/expected.json")[section][key]
    scores = grefer_scores(grefer, min_pixels=min_pixels)
    assert 100 * scores.overlap.giou == pytest.approx(expected["gIoU"], abs=1e-9)
    assert 100 * scores.overlap.ciou == pytest.approx(expected["cIoU"], abs=1e-9)
    assert scores.n_acc == pytest.approx(expected["N_acc"])
    assert scores.t_acc == pytest.approx(expected["T_acc"])
    confusion = expected["confusion"]
    assert scores.confusion == Confusion(confusion["TP"], confusion["FN"], confusion["TN"], confusion["FP"])
    for at, share in scores.precision.items():
        assert share is not None and 100 * share == pytest.approx(expected[f"Pr@{at}"])


def test_by_hand(rle: Callable[..., RLE]) -> None:
    left, right, top = rle([[1, 0], [1, 0]]), rle([[0, 1], [0, 1]]), rle([[1, 1], [0, 0]])
    assert overlap([left], [top]) == Overlap(gt=2, pred=2, intersection=1)
    assert overlap([left, right, left], [top]) == Overlap(gt=4, pred=2, intersection=2)
    items = [overlap([left], [top]), overlap([], []), overlap([], [top]), overlap([left], [])]
    scores = grefer_scores(items)
    assert scores.overlap.giou == pytest.approx((1 / 3 + 1 + 0 + 0) / 4)
    assert scores.overlap.ciou == pytest.approx(1 / (3 + 0 + 2 + 2))
    assert (scores.n_acc, scores.t_acc) == (0.5, 0.5)


def test_the_share_that_reaches_a_threshold() -> None:
    items = [Overlap(10, 10, 10), Overlap(10, 9, 9), Overlap(10, 7, 7), Overlap(10, 0, 0), Overlap(0, 5, 0)]
    assert precision(items) == {0.7: 0.75, 0.8: 0.5, 0.9: 0.5}
    assert precision(items[4:]) == {0.7: None, 0.8: None, 0.9: None}


def test_all_expressions_have_a_target() -> None:
    found = [Overlap(4, 4, 4)]
    assert grefer_scores(found).n_acc is None and grefer_scores(found).t_acc == 1.0
    official = grefer_scores(found, "official")
    assert (official.n_acc, official.t_acc) == (0.0, 0.0)


def test_refusals(rle: Callable[..., RLE]) -> None:
    with pytest.raises(ValueError, match="different sizes"):
        overlap([rle([[1, 1]])], [rle([[1], [1]])])
    with pytest.raises(ValueError, match="no expressions"):
        refer_scores([])
