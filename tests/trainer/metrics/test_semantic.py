from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.masks.rle import from_coco
from engine.records import RLE
from trainer.metrics.panoptic import Quality
from trainer.metrics.semantic import UNLABELLED, SemanticImage, semantic_scores

LoadJson = Callable[[str], Any]
Encode = Callable[..., RLE]


@pytest.fixture(scope="module")
def images(metrics_root: Path, load_json: LoadJson) -> list[SemanticImage]:
    masks: defaultdict[str, list[tuple[int, RLE]]] = defaultdict(list)
    for entry in load_json("panoptic/semantic_pred.json"):
        masks[Path(entry["file_name"]).stem].append((entry["category_id"], from_coco(entry["segmentation"])))
    names = [Path(image["file_name"]).stem for image in load_json("panoptic/gt.json")["images"]]

    def read(name: str) -> np.ndarray:
        with Image.open(metrics_root / f"panoptic/semantic_gt/{name}.png") as picture:
            return np.asarray(picture)

    return [SemanticImage(name, read(name), tuple(masks[name])) for name in names]


def without(images: list[SemanticImage], name: str) -> Iterator[SemanticImage]:
    for image in images:
        yield SemanticImage(image.image_id, image.gt, ()) if image.image_id == name else image


def as_expected(quality: Quality) -> dict[str, float]:
    return {"pq": quality.pq, "sq": quality.sq, "rq": quality.rq, "n": quality.classes}


def test_reference_numbers(images: list[SemanticImage], load_json: LoadJson) -> None:
    content = load_json("panoptic/expected.json")
    expected, classes = content["mglmm_semantic_script"], len(load_json("panoptic/gt.json")["categories"])
    scores = semantic_scores(images, classes)
    assert as_expected(scores.panoptic.all) == pytest.approx(expected["All"], abs=1e-6)
    assert as_expected(scores.panoptic.of_stuff) == pytest.approx(expected["Stuff"], abs=1e-6)
    assert scores.miou == pytest.approx(expected["miou"], abs=1e-6)
    assert scores.skipped == ()
    per_class = scores.panoptic.per_class
    assert {str(index) for index, count in per_class.items() if count.seen} <= set(expected["per_class"])
    for index, numbers in expected["per_class"].items():
        found = {name: getattr(per_class[int(index)], name) for name in ("pq", "sq", "rq", "tp", "fp", "fn")}
        assert found == pytest.approx(numbers, abs=1e-6)
    variant = content["variants_not_official"]["miou_over_gt_classes_only"]
    assert scores.miou_gt_classes == pytest.approx(variant["miou_over_gt_classes_only"], abs=1e-6)


def test_an_image_without_prediction_lifts_the_official_score_only(
    images: list[SemanticImage], load_json: LoadJson
) -> None:
    expected = load_json("panoptic/expected.json")["mglmm_semantic_script"]["edge_cases"]
    case, classes = expected["all_predictions_of_one_image_removed"], len(load_json("panoptic/gt.json")["categories"])
    name = Path(case["file_name"]).stem
    official = semantic_scores(without(images, name), classes)
    assert as_expected(official.panoptic.all) == pytest.approx(case["All"], abs=1e-6)
    assert official.miou == pytest.approx(case["miou"], abs=1e-6)
    assert official.skipped == (name,)
    whole, less = (semantic_scores(them, classes, "corrected") for them in (images, without(images, name)))
    assert less.miou < whole.miou and less.panoptic.all.pq < whole.panoptic.all.pq
    assert less.skipped == ()


def test_what_is_not_predicted(rle: Encode) -> None:
    # Classes 0 and 1; the right half is 0 and is not predicted.
    image = SemanticImage("x", np.array([[1, 1, 0, 0]], np.uint8), ((1, rle([[1, 1, 0, 0]])),))
    assert semantic_scores([image], 2).miou == 1.0  # it becomes class 0 by itself
    assert semantic_scores([image], 2, "corrected").miou == 0.5


def test_later_masks_lie_over_earlier_ones_and_unlabelled_pixels_do_not_count(rle: Encode) -> None:
    gt = np.array([[0, 1, UNLABELLED]], np.uint8)
    image = SemanticImage("x", gt, ((0, rle([[1, 1, 1]])), (1, rle([[0, 1, 1]]))))
    assert semantic_scores([image], 2, "corrected").miou == 1.0


def test_refusals(rle: Encode) -> None:
    gt = np.zeros((1, 2), np.uint8)
    with pytest.raises(ValueError, match="image 'x': unknown class 5"):
        semantic_scores([SemanticImage("x", gt, ((5, rle([[1, 1]])),))], 2)
    with pytest.raises(ValueError, match="image 'x': a mask of 2 x 1 pixels, the true map has 1 x 2"):
        semantic_scores([SemanticImage("x", gt, ((0, rle([[1], [1]])),))], 2)
    with pytest.raises(ValueError, match="has the class 7 of 2"):
        semantic_scores([SemanticImage("x", gt + 7, ((0, rle([[1, 1]])),))], 2)
