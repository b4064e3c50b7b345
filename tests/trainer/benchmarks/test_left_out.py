"""Questions that can't be scored don't cost the others: they are counted and named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.errors import UsageError
from tests.trainer.benchmarks import made
from tests.trainer.benchmarks.test_benchmarks import CASES, ideal, no_java, opened
from trainer.benchmarks.benchmark import Scoring
from trainer.benchmarks.left_out import noted
from trainer.benchmarks.registry import Selection, open_benchmark

__all__ = ["no_java"]
OTHER_SIZE = "its photograph has another size than its annotation says"


def edit(path: Path, change: Callable[[Any], object]) -> None:
    """Change the content of a JSON file."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_reference_whose_mask_can_not_be_used_is_left_out(tmp_path: Path) -> None:
    root = made.refcoco(tmp_path)
    narrow = {"size": [made.HEIGHT, made.WIDTH - 1], "counts": [0, made.HEIGHT * (made.WIDTH - 1)]}
    edit(root / "refcoco/instances.json", lambda file: file["annotations"][0].update(segmentation=narrow))
    found = open_benchmark(Selection("refer", "refcoco", "val", root))
    assert [one.id for one in found.benchmark.questions] == ["3"]
    report = noted(found.benchmark.score(ideal(found), Scoring()), found.left_out)
    assert report.scores["cIoU"] == pytest.approx(1)
    assert report.counts["expressions"] == 1 and report.counts["left out"] == 1
    assert report.notes == (
        "1 left out: a mask of another size than its photograph, such as refcoco/refs(unc).p: ref 1",
    )


@pytest.mark.parametrize("name", ["mgsc", "refcoco", "muse", "panoptic"])
def test_a_photograph_of_another_size_is_left_out(name: str, tmp_path: Path) -> None:
    root = tmp_path / "data"
    questions = opened(name, root).benchmark.questions
    for path in {question.image for question in questions}:
        Image.new("RGB", (made.WIDTH, made.HEIGHT + 1)).save(path)
    _, benchmark, dataset, split = CASES[name]
    chosen = Selection(benchmark, dataset, split, root)
    with pytest.raises(UsageError, match=f"data: no question can be asked: {len(questions)} left out: {OTHER_SIZE}"):
        open_benchmark(chosen)
    for path in {question.image for question in questions}:
        path.unlink()  # predictions are scored without photographs
    assert len(open_benchmark(chosen).benchmark.questions) == len(questions)


def test_the_others_are_scored(tmp_path: Path) -> None:
    root = made.muse(tmp_path)
    second = {"coco_url": "http://images.cocodataset.org/val2017/b.jpg"}
    made.photograph(root / "val2017/b.jpg")
    edit(root / "MUSE_val.json", lambda file: file.append(file[0] | second | {"width": made.WIDTH - 5}))
    edit(root / "MUSE_val.json", lambda file: file.append(file[0] | second | {"height": 10, "answers": [[], []]}))
    found = open_benchmark(Selection("reason", "muse", "val", root))
    assert [one.id for one in found.benchmark.questions] == ["0:0", "0:1", "2:0", "2:1"]
    assert [(reason, count) for reason, count, _ in found.left_out.reasons()] == [(OTHER_SIZE, 2)]
    assert noted(found.benchmark.score(ideal(found), Scoring()), found.left_out).counts["left out"] == 2


@pytest.mark.parametrize(
    ("name", "file", "key"),
    [
        ("mgsc", "all_mgsc_caption_gt.json", "images"),
        ("panoptic", "annotations/panoptic_val2017.json", "annotations"),
        ("coco captions", "annotations/captions_val2017.json", "images"),
        ("flickr30k", "dataset_flickr30k.json", "images"),
        ("muse", "MUSE_val.json", None),
    ],
)
def test_a_set_without_a_question_is_refused(name: str, file: str, key: str | None, tmp_path: Path) -> None:
    root = tmp_path / "data"
    opened(name, root)
    made.write_json(root / file, json.loads((root / file).read_text()) | {key: []} if key else [])
    _, benchmark, dataset, split = CASES[name]
    with pytest.raises(UsageError, match=r"data: (no question|the split)"):
        open_benchmark(Selection(benchmark, dataset, split, root))


def test_a_reference_without_a_sentence_asks_nothing(tmp_path: Path) -> None:
    root = made.refcoco(tmp_path)
    edit(root / "grefcoco/grefs(unc).json", lambda refs: [ref.update(sentences=[]) for ref in refs])
    with pytest.raises(UsageError, match="no question can be asked: the split is empty"):
        open_benchmark(Selection("grefer", "", "val", root))
