"""The measurement as a whole, on the tiny model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from engine.bench import Baseline, Plan, Report, bench, make_photographs
from engine.errors import UsageError
from engine.images.sources import Source
from engine.model.checkpoint import Checkpoint
from engine.pipeline.finishing import Outcome
from engine.pipeline.pipeline import Options, Pipeline
from tests.engine.tiny import leaning_to_seg

TOKENS = 6


@pytest.fixture(scope="module")
def notes() -> list[str]:
    return []


@pytest.fixture(scope="module")
def report(tiny: Checkpoint, notes: list[str], tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Four photographs, the first and the third of them broken; a baseline twice."""
    folder = tmp_path_factory.mktemp("photographs")
    sources = make_photographs(folder, 4)
    for number in (0, 2):
        sources[number].path.write_text("no picture")
    options = Options(granularity="panoptic", max_new_tokens=TOKENS, forced=True, batch_size=2, decoder="torch")
    plan = Plan(options, (Baseline.GENEROUS, Baseline.PUBLIC, Baseline.GENEROUS), baseline_limit=1)
    return bench(lambda: leaning_to_seg(tiny, -1), sources, plan, notes.append)


def test_photographs_are_counted_and_the_warm_up_is_not(report: Report) -> None:
    assert (report.images, report.failed, report.questions) == (2, 2, 2)
    assert report.megapixels == pytest.approx((1920 * 1080 + 3000 * 2000) / 1e6)
    assert report.tokens == 2 * TOKENS
    assert 0 < report.masks <= report.tokens
    assert report.stages["encode"].count == 2
    assert report.stages["masks"].count == report.stages["finish"].count == report.masks


def test_a_decode_step_is_counted_once_for_all_its_answers(report: Report) -> None:
    assert report.stages["decode_tokens"].count == 2 * (TOKENS - 1)
    assert TOKENS - 1 <= report.steps <= 2 * (TOKENS - 1)


def test_baselines_run_once_each_on_the_first_photographs_that_were_done(report: Report, notes: list[str]) -> None:
    assert list(report.baselines) == ["generous", "public"]
    for name, run in report.baselines.items():
        assert (run.images, run.tokens) == (1, TOKENS)
        assert run.agreement.texts == 1 and run.agreement.same_text
        assert run.masks == run.agreement.masks > 0
        assert report.ratio[name] == pytest.approx(report.images_per_second / run.images_per_second)
    assert notes == [
        "loading the model",
        "engine: 4 photographs",
        "baseline generous: 1 photograph",
        "baseline public: 1 photograph",
    ]


def test_shares_are_of_the_wall_time(report: Report) -> None:
    network = sum(report.stages[name].seconds for name in ("encode", "prefill", "decode_tokens", "masks"))
    assert report.outside_share == pytest.approx(1 - network / report.seconds)
    assert 0 < report.outside_share < 1


def test_the_report_survives_json(report: Report) -> None:
    content = json.loads(json.dumps(report.to_json()))
    assert content["images_per_second"] == pytest.approx(2 / report.seconds)
    assert content["stages"]["encode"]["ms_per_image"] == pytest.approx(500 * report.stages["encode"].seconds)
    assert content["options"]["forced"] is True
    assert content["peak_memory_mb"] > 0


def test_warming_up_takes_as_many_together_as_are_asked_for(
    tiny: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = make_photographs(tmp_path, 4)
    for number in (0, 1):
        sources[number].path.write_text("no picture")
    together: list[int] = []
    run = Pipeline.run

    def noted(pipeline: Pipeline, given: Sequence[Source]) -> Iterator[Outcome]:
        together.append(len(given))
        return run(pipeline, given)

    monkeypatch.setattr(Pipeline, "run", noted)
    options = Options(granularity="panoptic", max_new_tokens=2, batch_size=2, decoder="torch")
    report = bench(lambda: tiny, sources, Plan(options, warm_up=2), lambda line: None)
    assert together == [2, 2, 4]  # none of the first two could be done
    assert (report.images, report.failed) == (2, 2)


def test_nothing_to_measure_is_said(tiny: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    plan = Plan(Options(granularity="panoptic", decoder="torch"))
    with pytest.raises(UsageError, match="nothing to measure: a.png: open: "):
        bench(lambda: tiny, [Source(tmp_path / "a.png", "a.png")], plan, lambda line: None)
