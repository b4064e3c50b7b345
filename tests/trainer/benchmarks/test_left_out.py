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


def turned(path: Path, orientation: int) -> None:
    """A photograph that is stored lying, or mirrored."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (made.WIDTH, made.HEIGHT)).save(path, exif=exif)


def test_a_photograph_that_is_stored_turned_is_told_apart(tmp_path: Path) -> None:
    root = made.refcoco(tmp_path)
    chosen = Selection("refer", "refcoco", "val", root)
    (path,) = root.rglob("a.jpg")
    turned(path, 6)
    with pytest.raises(UsageError, match="3 left out: its photograph is turned by its EXIF orientation"):
        open_benchmark(chosen)
    # Upside down it has the same size, and nothing tells; it is used, and said.
    turned(path, 3)
    found = open_benchmark(chosen)
    report = noted(found.benchmark.score(ideal(found), Scoring()), found.left_out)
    assert "left out" not in report.counts
    assert any("1 used: a photograph with an EXIF orientation" in note for note in report.notes)


@pytest.mark.parametrize("name", ["images\\a.jpg", "A.JPG", "./a.jpg", "a%2Ejpg"])
def test_a_photograph_is_found_by_a_name_from_another_system(name: str, tmp_path: Path) -> None:
    root = made.refcoco(tmp_path)
    (path,) = root.rglob("a.jpg")
    if "\\" in name:
        (path.parent / "images").mkdir()
        path.rename(path.parent / "images/a.jpg")
    edit(root / "refcoco/instances.json", lambda file: file["images"][0].update(file_name=name))
    questions = open_benchmark(Selection("refer", "refcoco", "val", root)).benchmark.questions
    assert questions and all(one.image.is_file() for one in questions)


def test_ids_and_marks_may_be_text(tmp_path: Path) -> None:
    root = made.refcoco(tmp_path)

    def as_text(file: Any) -> None:
        for annotation in file["annotations"]:
            annotation |= {"image_id": "1", "iscrowd": "0", "id": str(annotation["id"])}

    edit(root / "grefcoco/instances.json", as_text)
    edit(root / "grefcoco/grefs(unc).json", lambda refs: refs[1].update(no_target="1"))
    found = open_benchmark(Selection("grefer", "", "val", root))
    assert [len(found.benchmark.truth(one.id).masks) for one in found.benchmark.questions] == [2, 0]
