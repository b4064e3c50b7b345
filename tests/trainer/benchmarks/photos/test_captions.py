"""What is scored of answers about photographs, on masks that are bands of a small frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.errors import UsageError
from engine.masks import rle
from engine.records import RLE
from engine.text.prompts import Task
from trainer.benchmarks.benchmark import Question, Scoring
from trainer.benchmarks.photos.captions import PhotoCaptions, Region
from trainer.benchmarks.photos.names import Names
from trainer.metrics.mgsc import GroundTruth, Prediction

EVERY = "duplicates, with fine-grained answers"
Scores = Callable[..., dict[str, float | None]]


def band(top: int, bottom: int) -> RLE:
    mask = np.zeros((40, 30), bool)
    mask[top:bottom] = True
    return rle.encode(mask[None])[0]


def benchmark(*regions: tuple[str, int, int], children: int = 0) -> PhotoCaptions:
    """One photograph with regions: class, first row, row behind the last."""
    found = [Region(label, band(top, bottom), 30 * (bottom - top)) for label, top, bottom in regions]
    gt = GroundTruth("a", "a", tuple(one.label for one in found), tuple(one.mask for one in found))
    question = Question("a", Path("a.jpg"), Task.PANOPTIC_SEGCAP, children=children)
    return PhotoCaptions([question], [gt], [found], Names.of("coco", ("person", "dog", "cat", "hot dog")))


def answer(*said: tuple[str, int, int]) -> Prediction:
    return Prediction("a", "a", tuple(one[0] for one in said), tuple(band(*one[1:]) for one in said))


@pytest.fixture(autouse=True)
def without_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.metrics.captions.unavailable", lambda: "not wanted here")


def scores(of: PhotoCaptions, given: Prediction) -> dict[str, float | None]:
    return dict(of.score({"a": given}, Scoring()).scores)


def test_the_largest_region_goes_by_the_mask_that_overlaps_it_most() -> None:
    of = benchmark(("person", 0, 25), ("dog", 25, 40))
    found = scores(of, answer(("a kitten", 0, 14), ("a woman", 0, 24), ("a puppy", 25, 40)))
    assert found["largest named"] == found["largest named, no persons"] == 1
    found = scores(of, answer(("a woman", 0, 14), ("a kitten", 0, 24), ("a puppy", 25, 40)))
    assert found["largest named"] == 0
    assert found["names right"] == pytest.approx(2 / 3)  # of the masks that match one; the kitten is wrong
    # No mask has an IoU of .5 with the person.
    found = scores(of, answer(("a woman", 0, 12), ("a hot dog", 25, 40)))
    assert found["largest named"] == found["largest named, no persons"] == found["names right"] == 0


def test_without_a_region_there_is_nothing_to_name() -> None:
    found = scores(benchmark(("person", 0, 20)), answer(("a cloud", 30, 40)))
    assert found["largest named"] == 0
    assert found["largest named, no persons"] is found["names right"] is None


def test_how_well_name_scores_tell_right_from_wrong() -> None:
    of = benchmark(("person", 0, 10), ("dog", 10, 20), ("cat", 20, 40))
    said = answer(("a man", 0, 10), ("a cat", 10, 20), ("a kitten", 20, 40), ("a cloud", 0, 40), ("a dog", 20, 40))
    assert scores(of, said)["names right"] == 0.4  # the cloud has an IoU of .5 with the cat
    assert scores(of, said)["name_score, AUROC"] is None
    report = of.score({"a": replace(said, name_scores=(0.9, 0.5, 0.5, 0.1, None))}, Scoring())
    # The man is above both, the kitten above the cloud and even with the wrong cat.
    assert report.scores["name_score, AUROC"] == 3.5 / 4
    assert (report.counts["right names"], report.counts["wrong names"]) == (2, 2)
    assert "name_score, AUROC" not in report.missing
    report = of.score({"a": replace(said, name_scores=(0.9, None, 0.5, None, None))}, Scoring())
    assert report.missing["name_score, AUROC"] == "only right names have a score"


def test_duplicates_of_an_answer_and_of_a_photograph() -> None:
    given = replace(answer(("a man", 0, 20), ("a boy", 0, 19), ("a dog", 20, 40)), following=(band(0, 20), band(0, 5)))
    found = scores(benchmark(("person", 0, 20), children=4), given)
    assert found["duplicates"] == pytest.approx(1 / 3)
    assert found[EVERY] == pytest.approx(2 / 5)
    # Answers out of files don't tell; and where none follow, there is no such score.
    report = benchmark(("person", 0, 20), children=4).score({"a": replace(given, following=None)}, Scoring())
    assert report.scores[EVERY] is None and report.missing[EVERY] == "what followed the answers is not known"
    assert EVERY not in scores(benchmark(("person", 0, 20)), given)


def test_outlines_of_the_pairs_of_miou() -> None:
    of = benchmark(("person", 0, 20), ("dog", 20, 40))
    assert scores(of, of.truth("a"))["boundary_iou"] == 1
    found = scores(of, answer(("a man", 0, 18), ("a dog", 20, 40)))
    miou, outlines = found["miou"], found["boundary_iou"]
    assert miou is not None and outlines is not None and 0.5 < outlines < miou == pytest.approx(0.95)


def test_an_answer_that_is_missing_is_empty() -> None:
    report = benchmark(("dog", 0, 20)).score({}, Scoring("corrected"))
    assert report.scores["largest named"] == report.scores["boundary_iou"] == 0
    assert report.scores["duplicates"] is None
    assert report.items["a"]["largest named"] == (0.0, 1)


def test_fewer_questions_and_masks_of_another_size() -> None:
    of = benchmark(("dog", 0, 20))
    assert of.without({"a"}).questions == [] and of.without({"b"}).score({"a": of.truth("a")}, Scoring()).scores
    small = rle.encode(np.ones((1, 4, 3), bool))[0]
    with pytest.raises(UsageError, match="different sizes"):
        scores(of, Prediction("a", "a", ("a dog",), (small,)))
