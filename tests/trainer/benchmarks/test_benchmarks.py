"""Every benchmark on its layout: the truth scores best, predictions survive a file, and what doesn't fit is named."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.text.prompts import Task
from tests.trainer.benchmarks import made
from trainer.benchmarks.benchmark import Report, Scoring, data_hash
from trainer.benchmarks.masks import Expressions
from trainer.benchmarks.registry import Opened, Selection, open_benchmark
from trainer.metrics import captions as caption_metrics
from trainer.metrics.mgsc import Prediction


@pytest.fixture(autouse=True)
def no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens at spaces, and no METEOR: a Java machine for each of these small sets would take a minute."""
    monkeypatch.setattr(caption_metrics, "unavailable", lambda: None)
    monkeypatch.setattr(
        caption_metrics, "tokenize", lambda texts: {key: [one.lower() for one in some] for key, some in texts.items()}
    )
    monkeypatch.setattr("trainer.metrics.java.shutil.which", lambda name: None)


def of_nocaps(root: Path) -> Path:
    made.captioned(root / "nocaps_val_4500_captions.json", root / "images", {"domain": ["in-domain", "near-domain"]})
    return root


def of_coco(root: Path) -> Path:
    made.captioned(root / "annotations/captions_val2017.json", root / "val2017")
    return root


def of_regions(root: Path) -> Path:
    made.captioned(root / "test_caption.json", root / "VG_100K")
    return root


def of_refcocog_regions(root: Path) -> Path:
    made.captioned(root / "finetune_refcocog_val_with_mask.json", root / "train2014")
    return root


def of_flickr(root: Path) -> Path:
    for name in ("a.jpg", "b.jpg"):
        made.photograph(root / "flickr30k-images" / name)
    sentences = [{"raw": "A wall."}, {"raw": "A grey wall."}]
    images = [{"filename": name, "split": "test", "sentences": sentences} for name in ("a.jpg", "b.jpg")]
    images.append({"filename": "c.jpg", "split": "train", "sentences": sentences})
    made.write_json(root / "dataset_flickr30k.json", {"images": images})
    return root


Case = tuple[Callable[[Path], Path], str, str, str]
CASES: dict[str, Case] = {
    "mgsc": (made.mgsc, "mgsc", "", "all"),
    "refcoco": (made.refcoco, "refer", "refcoco", "val"),
    "grefcoco": (made.refcoco, "grefer", "", "val"),
    "reasonseg": (made.reason_seg, "reason", "reasonseg", "val"),
    "muse": (made.muse, "reason", "muse", "val"),
    "coco captions": (of_coco, "caption", "coco", "val"),
    "nocaps": (of_nocaps, "caption", "nocaps", "val"),
    "flickr30k": (of_flickr, "caption", "flickr30k", "test"),
    "refcocog regions": (of_refcocog_regions, "region", "refcocog", "val"),
    "visual genome": (of_regions, "region", "visual-genome", "test"),
    "panoptic": (made.panoptic, "panoptic", "", "val"),
}
IDEAL = {
    "mgsc": {"miou": 1.0},
    "refcoco": {"cIoU": 1.0, "gIoU": 1.0, "Pr@0.9": 1.0},
    "grefcoco": {"cIoU": 1.0, "gIoU": 1.0, "N-acc": 1.0, "T-acc": 1.0, "Pr@0.9": 1.0},
    "reasonseg": {"cIoU": 1.0, "Pr@0.9": 1.0, "gIoU": 1.0, "cIoU, short": 1.0, "gIoU, long": 1.0},
    "muse": {"cIoU": 1.0, "gIoU": 1.0},
    "coco captions": {"Bleu_1": 1.0, "ROUGE_L": 1.0},
    "nocaps": {"Bleu_1": 1.0, "ROUGE_L, in-domain": 1.0, "ROUGE_L, near-domain": 1.0},
    "flickr30k": {"Bleu_1": 1.0},
    "refcocog regions": {"Bleu_1": 1.0},
    "visual genome": {"Bleu_1": 1.0},
    "panoptic": {"PQ": 1.0, "PQ, things": 1.0, "PQ, stuff": 1.0, "semantic PQ": 1.0, "mIoU": 1.0},
}


def opened(name: str, root: Path) -> Opened:
    make, benchmark, dataset, split = CASES[name]
    root.mkdir(exist_ok=True)
    return open_benchmark(Selection(benchmark, dataset, split, make(root)))


def ideal(found: Opened) -> dict[str, Prediction]:
    """The truth as answers; of several captions the first."""
    truths = {one.id: found.benchmark.truth(one.id) for one in found.benchmark.questions}
    return {key: replace(one, caption=(one.caption or "").partition("\n")[0]) for key, one in truths.items()}


def score(found: Opened, answers: Mapping[str, Prediction], protocol: str = "official") -> Report:
    assert protocol in ("official", "corrected")
    return found.benchmark.score(answers, Scoring("official" if protocol == "official" else "corrected"))


@pytest.mark.parametrize("name", CASES)
def test_the_truth_scores_best(name: str, tmp_path: Path) -> None:
    found = opened(name, tmp_path / "data")
    for protocol in ("official", "corrected"):
        scores = score(found, ideal(found), protocol).scores
        assert {key: scores[key] for key in IDEAL[name]} == pytest.approx(IDEAL[name], abs=1e-4)
    for question in found.benchmark.questions:
        assert question.image.is_file()


@pytest.mark.parametrize("name", CASES)
def test_predictions_survive_their_files(name: str, tmp_path: Path) -> None:
    found = opened(name, tmp_path / "data")
    answers = ideal(found)
    found.write(tmp_path / "written", answers)
    read = found.read(tmp_path / "written")
    assert read.notes == ()
    before, after = score(found, answers), score(found, read.answers)
    assert after.scores == before.scores and after.items == before.items


@pytest.mark.parametrize("name", CASES)
def test_a_missing_prediction_never_helps(name: str, tmp_path: Path) -> None:
    found = opened(name, tmp_path / "data")
    answers = ideal(found)
    lost = found.benchmark.questions[0].id
    rest = {key: one for key, one in answers.items() if key != lost}
    if not rest:
        rest = {"strange": Prediction("strange", "", (), ())}
    kind = CASES[name][1]
    if kind in ("caption", "region"):
        report = score(found, rest)  # the official scripts leave it out, which is said
        assert any("left out" in note for note in report.notes)
        assert (report.corrected["ROUGE_L"] or 0) < 1
    else:
        with pytest.raises(UsageError, match=f"{lost}'"):
            score(found, rest)
    if len(answers) > 1:
        corrected = score(found, rest, "corrected")
        assert any(f"'{lost}'" in note for note in corrected.notes)
        assert all((corrected.scores[key] or 0) <= value + 1e-9 for key, value in IDEAL[name].items())
        main = next(iter(IDEAL[name]))
        assert (corrected.scores[main] or 0) < 1


def test_predictions_of_something_else_are_named(tmp_path: Path) -> None:
    found = opened("refcoco", tmp_path)
    answers = ideal(found)
    report = score(found, answers | {"99": answers["1"]})
    assert any("'99'" in note for note in report.notes)
    with pytest.raises(UsageError, match="there is one for '99', none for '1'"):
        score(found, {"99": answers["1"]})


@pytest.mark.parametrize("name", ["mgsc", "refcoco", "reasonseg", "panoptic"])
def test_masks_of_another_size_are_named(name: str, tmp_path: Path) -> None:
    found = opened(name, tmp_path)
    answers = ideal(found)
    wrong = made.rle.encode(made.np.ones((1, 3, 4), bool))[0]
    first = found.benchmark.questions[0].id
    answers[first] = replace(answers[first], masks=(wrong,) * len(answers[first].masks))
    with pytest.raises(UsageError, match=f"{first}.*3 ?x ?4"):
        score(found, answers)


def test_an_image_without_ground_truth_is_named(tmp_path: Path) -> None:
    root = made.mgsc(tmp_path)
    made.write_json(root / "all_mgsc_mask_gt.json", {"annotations": []})
    with pytest.raises(UsageError, match="2 images have no true mask, such as 'sa_1_0'"):
        open_benchmark(Selection("mgsc", "", "all", root))


def test_an_unknown_split_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no split 'testB'; it has testA, val"):
        open_benchmark(Selection("refer", "refcoco", "testB", made.refcoco(tmp_path)))


def test_questions(tmp_path: Path) -> None:
    refer = opened("refcoco", tmp_path / "refer").benchmark.questions
    assert [(one.task, one.about) for one in refer] == [
        (Task.REFERRING, "left bar"),
        (Task.REFERRING, "the first"),
        (Task.REFERRING, "right bar"),
    ]
    root, subtree = opened("mgsc", tmp_path / "mgsc").benchmark.questions
    assert (root.task, root.about) == (Task.PANOPTIC_SEGCAP, "")
    assert (subtree.task, subtree.about) == (Task.FINE_SEGCAP, "the wall")
    region = opened("visual genome", tmp_path / "vg").benchmark.questions[0]
    assert region.box is not None and (region.box.left, region.box.bottom) == (3 / 30, 12 / 20)
    long, short = opened("reasonseg", tmp_path / "reason").benchmark.questions
    assert (long.task, short.task) == (Task.REASONING, Task.REFERRING)


def test_undecided_pixels_count_on_neither_side(tmp_path: Path) -> None:
    found = opened("reasonseg", tmp_path)
    answers = ideal(found)
    first = found.benchmark.questions[0].id
    answers[first] = replace(answers[first], masks=(made.bar(0), made.bar(6)))
    assert score(found, answers).scores["cIoU, long"] == pytest.approx(1.0)


def test_the_id_0_quirk_and_its_correction_stand_side_by_side(tmp_path: Path) -> None:
    found = opened("mgsc", tmp_path)
    report = score(found, ideal(found))
    assert report.corrected["AP"] == pytest.approx(1.0)
    assert report.scores["AP"] is not None and report.scores["AP"] < 0.9  # one of four is never found


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("caption", ["", None])
@pytest.mark.parametrize("name", CASES)
def test_answers_of_nothing_are_numbers(name: str, caption: str | None, tmp_path: Path) -> None:
    found = opened(name, tmp_path / "data")
    answers = {one.id: Prediction(one.id, caption, (), ()) for one in found.benchmark.questions}
    for protocol in ("official", "corrected"):
        if caption is None and CASES[name][1] in ("caption", "region"):
            with pytest.raises(UsageError, match="no prediction has a caption"):
                score(found, answers, protocol)
            continue
        report = score(found, answers, protocol)
        for value in [*report.scores.values(), *report.corrected.values()]:
            assert value is None or math.isfinite(value)
        assert not any(report.scores[key] for key in IDEAL[name] if key not in ("N-acc", "gIoU"))


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_masks_without_a_pixel_on_both_sides(tmp_path: Path) -> None:
    root, nothing = made.mgsc(tmp_path / "mgsc"), made.rle.encode(made.np.zeros((1, made.HEIGHT, made.WIDTH), bool))[0]
    path = root / "all_mgsc_mask_gt.json"
    content = json.loads(path.read_text())
    content["annotations"][1] |= {"segmentation": nothing.to_coco(), "area": 0}  # the second of sa_1_0
    made.write_json(path, content)
    found = open_benchmark(Selection("mgsc", "", "all", root))
    report = score(found, ideal(found))
    assert report.scores["miou"] == 0.5 and report.items["sa_1_0"]["miou"] == (0.0, 1)  # 0 / 0 ends the matching
    assert report.corrected["miou"] == score(found, ideal(found), "corrected").scores["miou"] == 1.0
    # In referring segmentation, nothing beside nothing is right.
    grefer = opened("grefcoco", tmp_path / "grefer")
    answers = ideal(grefer)
    answers["6"] = replace(answers["6"], masks=(nothing,))
    for protocol in ("official", "corrected"):
        scores = score(grefer, answers, protocol).scores
        assert {key: scores[key] for key in ("cIoU", "gIoU", "N-acc")} == pytest.approx(
            {"cIoU": 1, "gIoU": 1, "N-acc": 1}, abs=1e-4
        )


def test_an_unknown_class_stops_the_official_rule_only(tmp_path: Path) -> None:
    found = opened("panoptic", tmp_path)
    answers = ideal(found)
    (only,) = answers
    answers[only] = replace(answers[only], phrases=("bar", "unicorn", "wall-other-merged"))
    with pytest.raises(UsageError, match="unknown class, such as 'unicorn'"):
        score(found, answers)
    assert any("'unicorn'" in note for note in score(found, answers, "corrected").notes)


def test_a_models_words_become_classes(tmp_path: Path) -> None:
    found = opened("panoptic", tmp_path)
    masks = (made.bar(0), made.bar(6), made.bar(12))
    named = found.recognise(Prediction("5", "", ("the Bar", "a unicorn", "walls"), masks))
    assert named.phrases == ("bar", "wall-other-merged")
    assert named.masks == (masks[0], masks[2])


def test_truth_and_predictions_in_one_file(metrics_root: Path) -> None:
    path = metrics_root / "grefer/data.json"
    found = open_benchmark(Selection("grefer", "", "val", None, predictions=path))
    assert isinstance(found.benchmark, Expressions) and len(found.benchmark.questions) == 60
    scores = score(found, found.read(path).answers).scores
    expected = {"cIoU": 0.6097887, "gIoU": 0.6124935, "N-acc": 0.6, "T-acc": 42 / 45}
    assert {name: scores[name] for name in expected} == pytest.approx(expected, abs=1e-6)


def test_the_hash_of_the_data_follows_its_truth(tmp_path: Path) -> None:
    one, same = opened("refcoco", tmp_path / "a"), opened("refcoco", tmp_path / "b")
    assert data_hash(one.benchmark) == data_hash(same.benchmark)
    assert data_hash(one.benchmark) != data_hash(opened("grefcoco", tmp_path / "c").benchmark)
