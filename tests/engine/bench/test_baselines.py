"""Plain loops give the engine's answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from engine.bench.agreement import Agreement, compare
from engine.bench.baseline import PlainLoop
from engine.bench.generous import GenerousLoop
from engine.bench.public import PublicLoop
from engine.bench.sa2va import Sa2vaLoop
from engine.images.sources import Source
from engine.model.checkpoint import Checkpoint, load
from engine.pipeline.pipeline import Options, Pipeline
from engine.records import PhotoRecord
from tests.engine.tiny import leaning_to_seg

EXAMPLES = Path(__file__).parents[3] / "examples"
LOOPS = (PublicLoop, GenerousLoop, Sa2vaLoop)


@pytest.fixture(scope="module")
def nano() -> Checkpoint:
    return load("nano")


@pytest.fixture
def picture(tmp_path: Path) -> Source:
    Image.linear_gradient("L").resize((64, 48)).convert("RGB").save(tmp_path / "a.png")
    return Source(tmp_path / "a.png", "a.png")


def _example(name: str) -> Source:
    return Source(EXAMPLES / name, name)


def _engine(checkpoint: Checkpoint, options: Options, sources: Sequence[Source]) -> list[PhotoRecord]:
    records = []
    for _, outcome in Pipeline(checkpoint, options).run(sources):
        assert isinstance(outcome, PhotoRecord), outcome
        records.append(outcome)
    return records


def _agreement(
    kind: type[PlainLoop], checkpoint: Checkpoint, options: Options, sources: Sequence[Source]
) -> tuple[Agreement, list[PhotoRecord]]:
    loop = kind(checkpoint, options)
    theirs = [loop.run(source).record for source in sources]
    return compare(zip(_engine(checkpoint, options, sources), theirs, strict=True)), theirs


@pytest.mark.parametrize("kind", LOOPS)
def test_panoptic_answers_and_masks_of_the_shipped_model(nano: Checkpoint, kind: type[PlainLoop]) -> None:
    options = Options(granularity="panoptic", max_new_tokens=16)
    found, records = _agreement(kind, nano, options, [_example("coffee.jpg"), _example("rocket.jpg")])
    assert found.texts == 2 and found.same_text
    assert found.masks == sum(record.segcaps[0].answer.seg_count for record in records) > 1
    assert found.mask_agreement is not None and found.mask_agreement >= 0.999
    assert [(record.width, record.height) for record in records] == [(600, 400), (640, 427)]


def test_children_of_the_shipped_model(nano: Checkpoint) -> None:
    options = Options(granularity="both", max_children=2)
    found, (record,) = _agreement(GenerousLoop, nano, options, [_example("astronaut.jpg")])
    assert found.texts == len(record.segcaps) > 1 and found.same_text
    assert found.mask_agreement is not None and found.mask_agreement >= 0.999
    panoptic, fine = record.segcaps[:2]
    assert panoptic.granularity == "panoptic" and not panoptic.truncated
    assert fine.granularity == "fine" and fine.parent is not None and fine.parent.segcap == 0


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize("offset", [-1, 0])
def test_every_seg_gets_its_mask_wherever_its_state_lies(
    tiny: Checkpoint, picture: Source, kind: type[PlainLoop], offset: int
) -> None:
    model = leaning_to_seg(tiny, offset)
    for length in (5, 6, 7):
        options = Options(granularity="panoptic", max_new_tokens=length, decoder="torch")
        found, (record,) = _agreement(kind, model, options, [picture])
        assert found.same_text and found.masks == record.segcaps[0].answer.seg_count > 0
        assert found.mask_agreement is not None and found.mask_agreement >= 0.999


@pytest.mark.parametrize("kind", LOOPS)
def test_forced_answers_have_the_length_that_was_asked_for(
    tiny: Checkpoint, picture: Source, kind: type[PlainLoop]
) -> None:
    assert kind(tiny, Options(granularity="panoptic", max_new_tokens=9, forced=True)).run(picture).tokens == 9


@pytest.mark.parametrize("kind", LOOPS)
def test_imposed_segs_have_the_engines_masks(tiny: Checkpoint, picture: Source, kind: type[PlainLoop]) -> None:
    options = Options(granularity="panoptic", max_new_tokens=9, forced=True, seg_every=3, decoder="torch")
    found, _ = _agreement(kind, tiny, options, [picture])
    assert found.same_text and found.masks >= 3
    assert found.mask_agreement is not None and found.mask_agreement >= 0.999


def test_forced_answers_go_on_where_others_stop(nano: Checkpoint) -> None:
    rocket = _example("rocket.jpg")
    stopped = GenerousLoop(nano, Options(granularity="panoptic", max_new_tokens=60)).run(rocket)
    assert not stopped.record.segcaps[0].truncated
    options = Options(granularity="panoptic", max_new_tokens=stopped.tokens + 2, forced=True)
    found, (record,) = _agreement(GenerousLoop, nano, options, [rocket])
    assert record.segcaps[0].truncated and found.same_text
