"""The benchmarks on real photographs: what they ask, and that a model beats the baseline that does not look."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.model.checkpoint import load
from engine.text.prompts import Task
from trainer.benchmarks.asking import Asker, to_prediction
from trainer.benchmarks.benchmark import Scoring
from trainer.benchmarks.photos import open_photos, segcap


@pytest.fixture(autouse=True)
def few_photographs_for_the_baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segcap, "_BASELINE_PHOTOGRAPHS", 20)


def test_a_set_without_truth_for_the_question_is_refused(data_root: Path) -> None:
    with pytest.raises(UsageError, match="no annotation for the fine question"):
        open_photos(data_root, "fine", "camvid", "val", 2)


def test_the_model_finds_persons_that_the_whole_frame_misses(data_root: Path) -> None:
    benchmark, baseline = open_photos(data_root, "refer", "", "val", 4)
    assert {question.task for question in benchmark.questions} == {Task.REFERRING}
    constant = benchmark.score(baseline, Scoring()).scores
    assert constant["N-acc"] == 0 and constant["T-acc"] == 1
    persons = [question for question in benchmark.questions if question.id.startswith("person/")]
    assert persons
    # Only these are asked; every other answer is the baseline's.
    answers = dict(baseline) | {
        question.id: to_prediction(record) for question, record in Asker(load("nano")).run(persons)
    }
    found = benchmark.score(answers, Scoring()).scores["cIoU, person"]
    whole = constant["cIoU, person"]
    assert found is not None and whole is not None and found > whole > 0


def test_what_an_answer_names_is_asked_about(data_root: Path) -> None:
    benchmark, baseline = open_photos(data_root, "panoptic", "coco", "val", 3)
    records = [record for _, record in Asker(load("nano")).run(benchmark.questions)]
    for record in records:
        parents = [segcap.parent for segcap in record.segcaps]
        assert parents[0] is None and all(parent and parent.segcap == 0 for parent in parents[1:])
    assert any(len(record.segcaps) > 1 for record in records)
    answers = {record.file_name: to_prediction(record) for record in records}
    every = "duplicates, with fine-grained answers"
    found = benchmark.score(answers, Scoring()).scores[every]
    assert found is not None and 0 < found < 1  # each of them begins with what it is about
    assert benchmark.score(baseline, Scoring()).scores[every] is None


def test_the_truth_of_a_fine_grained_question_scores_best(data_root: Path) -> None:
    benchmark, baseline = open_photos(data_root, "fine", "ccp", "val", 3)
    assert {(question.task, question.about) for question in benchmark.questions} == {(Task.FINE_SEGCAP, "the person")}
    best = benchmark.score({one.id: benchmark.truth(one.id) for one in benchmark.questions}, Scoring()).scores
    # The person is all that is annotated, and has no class there.
    assert best["largest named"] == best["largest named, no persons"] == best["names right"] == 1.0
    constant = benchmark.score(baseline, Scoring()).scores
    assert best["miou"] == 1.0
    assert constant["miou"] is not None and 0 < constant["miou"] < 1
