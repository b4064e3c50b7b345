"""The official evaluations, from their files to their numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import UsageError
from engine.records import RLE
from trainer.benchmarks.official_files import read_ground_truth, read_predictions
from trainer.metrics.captions import METRICS
from trainer.metrics.mgsc import MgscScores, RecallScore, Rules, evaluate
from trainer.metrics.similarity import TextModel

LoadJson = Callable[[str], Any]
SPLITS = [("mgsc", "root"), ("mgsc", "subtree"), ("mgsc", "all"), ("gcg", "val"), ("gcg", "test")]
Scored = Callable[[str, str, Rules], MgscScores]


@pytest.fixture(scope="module")
def scored(metrics_root: Path, text_model_folder: Path, caption_metrics: None) -> Scored:
    """Scores of a split; each is computed once."""
    model = TextModel(text_model_folder)

    @cache
    def score(task: str, split: str, protocol: Rules) -> MgscScores:
        gts = read_ground_truth(metrics_root / task / "gt", split)
        preds = read_predictions(metrics_root / task / "pred", [gt.image_id for gt in gts])
        # Captions do not depend on the protocol when every image has one.
        return evaluate(gts, preds, model, protocol, captions=protocol == "official")

    return score


@pytest.mark.usefixtures("one_meteor")
@pytest.mark.parametrize(("task", "split"), SPLITS)
def test_official_numbers(task: str, split: str, scored: Scored, load_json: LoadJson) -> None:
    expected = load_json(f"{task}/expected.json")["splits"][split]
    scores = scored(task, split, "official")
    assert scores.captions.missing == {}
    numbers = {name: value for name, value in expected["official"].items() if name != "SPICE"}
    assert len(numbers) == 21
    assert scores.as_dict() == pytest.approx(numbers, abs=1e-6)
    counts = (scores.images, scores.gt_masks, scores.pred_masks)
    assert counts == (expected["n_images"], expected["n_gt_masks"], expected["n_pred_masks"])
    variants = expected["variants_not_official"]
    assert scores.recalls is not None
    for recall, numbers in (
        (scores.recalls.official, expected["official_recall_counts"]),
        (scores.recalls.sequential, expected["official_sequential_recall"]),
        (scores.recalls.mismatch_skipped, variants["recall_continue_after_text_mismatch"]),
        (scores.recalls.corrected, variants["recall_fixed"]),
    ):
        assert recall == RecallScore(numbers["true_positives"], numbers["ground_truth"])
    assert scores.detections.corrected.as_dict() == pytest.approx(variants["without_id0_quirk"], abs=1e-6)


@pytest.mark.usefixtures("one_meteor")
@pytest.mark.parametrize(("task", "split"), SPLITS)
def test_corrected_numbers(task: str, split: str, scored: Scored, load_json: LoadJson) -> None:
    expected = load_json(f"{task}/expected.json")["splits"][split]
    scores = scored(task, split, "corrected")
    variants = expected["variants_not_official"]
    assert scores.detection.as_dict() == pytest.approx(variants["without_id0_quirk"], abs=1e-6)
    assert scores.recall is not None
    assert scores.recall.value == pytest.approx(variants["recall_fixed"]["recall"], abs=1e-6)
    assert scores.miou == pytest.approx(expected["official"]["miou"], abs=1e-6)


@pytest.mark.usefixtures("one_meteor")
@pytest.mark.parametrize(("task", "split"), SPLITS)
def test_details_of_each_image(task: str, split: str, scored: Scored, load_json: LoadJson) -> None:
    scores = scored(task, split, "official")
    details: dict[str, Any] = load_json(f"{task}/details.json")
    for image_id, detail in scores.details.items():
        expected = details[image_id]
        assert expected["split"] == split or split == "all"
        assert detail.similarity is not None
        for found, wanted, shape in (
            (detail.iou, expected["iou_gt_by_pred"], (expected["n_gt_masks"], expected["n_pred_masks"])),
            (
                detail.similarity,
                expected["text_similarity_gt_by_phrase"],
                (expected["n_gt_labels"], expected["n_phrases"]),
            ),
        ):
            assert found.shape == shape
            np.testing.assert_allclose(found, np.array(wanted, dtype=np.float64).reshape(shape), atol=1e-6, rtol=0)
        assert detail.miou == pytest.approx(expected["miou"], abs=1e-12)
        assert (detail.recall_pairs is None) == expected["dropped_from_recall"]
        pairs = None if detail.recall_pairs is None else sorted(detail.recall_pairs)
        wanted_pairs = expected["matched_gt_pred"]
        assert pairs == (None if wanted_pairs is None else sorted(tuple(pair) for pair in wanted_pairs))
        tokens = {"gt": scores.captions.references[image_id][0], "pred": scores.captions.candidates[image_id]}
        assert tokens == expected["tokens"]
        caption_scores = scores.captions.per_image[image_id]
        assert set(caption_scores) == set(METRICS)
        assert caption_scores == pytest.approx(expected["caption_scores"][split], abs=1e-6)


def write(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def official_folder(folder: Path, mask: RLE) -> Path:
    caption = {"image_id": "x", "caption": "A cat.", "labels": ["cat"], "id": 1}
    images = [{"id": "x", "width": 1, "height": 2}]
    annotation = {"image_id": "x", "id": 0, "area": 2, "category_id": 1, "segmentation": mask.to_coco()}
    write(folder / "val_gcg_coco_caption_gt.json", {"images": images, "annotations": [caption]})
    write(folder / "val_gcg_coco_mask_gt.json", {"images": images, "annotations": [annotation]})
    return folder


def test_both_layouts_of_a_prediction(tmp_path: Path, rle: Callable[..., RLE]) -> None:
    mask = rle([[1, 1]])
    answer = {"image_id": "x", "caption": "A cat.", "phrases": ["cat"], "pred_masks": [mask.to_coco()]}
    write(tmp_path / "x.json", answer)
    write(tmp_path / "y.json", {"y": {**answer, "image_id": "y"}})
    flat, nested = read_predictions(tmp_path, ["x", "y"])
    assert (flat.image_id, nested.image_id) == ("x", "y")
    assert (flat.caption, flat.phrases, flat.masks) == (nested.caption, nested.phrases, nested.masks)
    assert flat.masks == (mask,)


def test_ground_truth(tmp_path: Path, rle: Callable[..., RLE]) -> None:
    (gt,) = read_ground_truth(official_folder(tmp_path, rle([[1, 1]])), "val")
    assert (gt.image_id, gt.caption, gt.labels, gt.mask_ids) == ("x", "A cat.", ("cat",), (0,))
    assert (gt.masks[0].height, gt.masks[0].width) == (1, 2)  # the mask's own size, not the image record's


def test_bad_files_are_named(tmp_path: Path, rle: Callable[..., RLE]) -> None:
    with pytest.raises(UsageError, match=r"no val_mgsc_caption_gt\.json or val_gcg_coco_caption_gt\.json"):
        read_ground_truth(tmp_path, "val")
    folder = official_folder(tmp_path, rle([[1, 1]]))
    write(folder / "val_gcg_coco_caption_gt.json", {"images": [{"id": "x"}], "annotations": []})
    with pytest.raises(UsageError, match=r"caption_gt\.json: images\[0\]: image 'x' has no caption"):
        read_ground_truth(folder, "val")
    with pytest.raises(UsageError, match=r"missing\.json"):
        read_predictions(tmp_path, ["missing"])
    assert read_predictions(tmp_path, ["missing"], missing_ok=True) == ()
    (tmp_path / "x.json").write_text("{", encoding="utf-8")
    with pytest.raises(UsageError, match=r"x\.json: not JSON"):
        read_predictions(tmp_path, ["x"])
    write(tmp_path / "x.json", {"caption": "A cat.", "pred_masks": []})
    with pytest.raises(UsageError, match=r"x\.json: no 'phrases'"):
        read_predictions(tmp_path, ["x"])


# What a run-length mask of 2 x 2 pixels can say that is not so.
LIES: dict[str, object] = {
    "short": {"size": [2, 2], "counts": [0, 3]},
    "long": {"size": [2, 2], "counts": [0, 5]},
    "text that ends early": {"size": [2, 2], "counts": "11"},
    "negative": {"size": [2, 2], "counts": [6, -2]},
    "overflowing": {"size": [2, 2], "counts": [2**64, 4]},
    "rubbish": {"size": [2, 2], "counts": "zzzz"},
    "endless side": {"size": [float("inf"), 2], "counts": [4]},
    "vast": {"size": [100_000, 100_000], "counts": [10**10]},
    "polygon": [[0, 0, 1, 1, 0, 1]],
    "nothing": None,
}


@pytest.mark.parametrize("lie", LIES)
def test_a_mask_that_lies_is_named(lie: str, tmp_path: Path, rle: Callable[..., RLE]) -> None:
    answer = {"caption": "A cat.", "phrases": [], "pred_masks": [{"size": [2, 2], "counts": "04"}, LIES[lie]]}
    write(tmp_path / "x.json", answer)
    with pytest.raises(UsageError, match=r"x\.json: pred_masks\[1\]: \S"):
        read_predictions(tmp_path, ["x"])
    folder = official_folder(tmp_path, rle([[1, 1]]))
    annotation = {"image_id": "x", "id": 0, "area": 2, "segmentation": LIES[lie]}
    write(folder / "val_gcg_coco_mask_gt.json", {"annotations": [annotation]})
    with pytest.raises(UsageError, match=r"val_gcg_coco_mask_gt\.json: annotations\[0\]: segmentation: \S"):
        read_ground_truth(folder, "val")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not JSON: it is empty"),
        (b"[" * 100_000, "not JSON: it is nested too deep"),
        (b'{"caption": "caf\xe9"}', "not JSON: byte 16"),
        (b"5", "an entry that is not an object"),
        (b"null", "an entry that is not an object"),
        (b"{}", "no 'caption'"),
        (b'{"caption": NaN, "phrases": [], "pred_masks": []}', "'caption' that is not"),
        (b'{"caption": ["a"], "phrases": [], "pred_masks": []}', "'caption' that is not"),
        (b'{"caption": "\\ud800", "phrases": [], "pred_masks": []}', "half a character"),
        (b'{"caption": "", "phrases": "abc", "pred_masks": []}', "'phrases' that is not"),
        (b'{"caption": "", "phrases": [null], "pred_masks": []}', "'phrases' that is not a list of texts"),
        (b'{"caption": "", "phrases": ["\\udce9"], "pred_masks": []}', "half a character"),
        (b'{"caption": "", "phrases": [], "pred_masks": {}}', "'pred_masks' that is not"),
    ],
)
def test_any_fault_of_a_prediction_is_named(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(UsageError, match=rf"x\.json: .*{reason}") as caught:
        read_predictions(tmp_path, ["x"])
    assert "\n" not in str(caught.value) and "\ud800" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "key", "entry", "reason"),
    [
        ("caption", "images", {"id": True}, r"images\[0\]: 'id' that is neither"),
        ("caption", "images", {"id": [1]}, r"images\[0\]: 'id' that is neither"),
        ("caption", "images", {"id": float("nan")}, r"images\[0\]: 'id' that is neither"),
        ("caption", "images", "x", r"images\[0\]: an entry that is not an object"),
        ("caption", "annotations", {"image_id": "x", "caption": 5, "labels": []}, r"annotations\[0\]: 'caption'"),
        ("caption", "annotations", {"image_id": "x", "caption": "", "labels": [5]}, r"annotations\[0\]: 'labels'"),
        ("mask", "annotations", {"id": "a", "area": 2}, r"annotations\[0\]: 'id' that is not a whole number"),
        ("mask", "annotations", {"id": 1.5, "area": 2}, r"annotations\[0\]: 'id' that is not a whole number"),
        ("mask", "annotations", {"id": 1, "area": float("inf")}, r"annotations\[0\]: 'area' that is not a number"),
        ("mask", "annotations", {"id": 1, "area": "2"}, r"annotations\[0\]: 'area' that is not a number"),
    ],
)
def test_any_fault_of_the_truth_is_named(
    kind: str, key: str, entry: Any, reason: str, tmp_path: Path, rle: Callable[..., RLE]
) -> None:
    folder = official_folder(tmp_path, rle([[1, 1]]))
    path = folder / f"val_gcg_coco_{kind}_gt.json"
    content = json.loads(path.read_text())
    if kind == "mask":
        entry = {"image_id": "x", "segmentation": rle([[1, 1]]).to_coco()} | entry
    write(path, content | {key: [entry]})
    with pytest.raises(UsageError, match=rf"val_gcg_coco_{kind}_gt\.json: {reason}"):
        read_ground_truth(folder, "val")


def test_what_stands_twice_in_the_truth_is_named(tmp_path: Path, rle: Callable[..., RLE]) -> None:
    folder = official_folder(tmp_path, rle([[1, 1]]))
    for kind, key, reason in (
        ("caption", "images", "image 'x' for the second time"),
        ("caption", "annotations", "image 'x' has two captions"),
        ("mask", "annotations", "the id 0 for the second time"),
    ):
        path = folder / f"val_gcg_coco_{kind}_gt.json"
        content = json.loads(path.read_text())
        write(path, content | {key: content[key] * 2})
        with pytest.raises(UsageError, match=rf"{path.name}: {key}\[1\]: {reason}"):
            read_ground_truth(folder, "val")
        write(path, content)
