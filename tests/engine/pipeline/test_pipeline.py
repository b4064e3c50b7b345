"""The engine from photographs to records: the shipped model on real photographs, and what may go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.errors import UsageError
from engine.images.sources import Source, find_sources
from engine.masks import rle
from engine.model.checkpoint import Checkpoint, load
from engine.pipeline.pipeline import Options, Pipeline
from engine.records import Failure, PhotoRecord
from engine.text.prompts import Question
from tests.engine.tiny import leaning_to_seg

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(scope="module")
def nano() -> Checkpoint:
    return load("nano")


def _records(pipeline: Pipeline, *inputs: Path) -> dict[str, PhotoRecord]:
    found = {}
    for source, outcome in pipeline.run(find_sources([str(path) for path in inputs], None)):
        assert isinstance(outcome, PhotoRecord), outcome
        found[source.file_name] = outcome
    return found


def test_the_shipped_model_on_the_examples(nano: Checkpoint) -> None:
    records = _records(Pipeline(nano, Options(max_children=2)), EXAMPLES)
    assert list(records) == ["astronaut.jpg", "chelsea.png", "coffee.jpg", "rocket.jpg"]
    for name, record in records.items():
        with Image.open(EXAMPLES / name) as image:
            assert (record.width, record.height) == image.size
        panoptic, *fine = record.segcaps
        assert panoptic.granularity == "panoptic" and panoptic.answer.caption
        for segcap in record.segcaps:
            assert len(segcap.masks) == segcap.answer.seg_count
            for phrase in segcap.answer.phrases:
                assert segcap.answer.caption[phrase.span.start : phrase.span.end] == phrase.text
                assert phrase.name_score is not None and 0 < phrase.name_score <= 1
            for mask in segcap.masks:
                pixels = rle.decode(mask.rle)
                assert pixels.shape == (record.height, record.width)
                assert pixels.sum() == mask.area
        for segcap in fine:
            assert segcap.granularity == "fine"
            assert segcap.parent is not None and panoptic.masks[segcap.parent.seg].area > 0
    # The astronaut is found where the portrait is, the cat is asked about.
    astronaut = records["astronaut.jpg"].segcaps[0]
    (people,) = (phrase for phrase in astronaut.answer.phrases if phrase.text in ("a person", "people"))
    assert rle.decode(astronaut.masks[people.segs[0]].rle)[200:500, 150:350].mean() > 0.7
    cat, about = records["chelsea.png"].segcaps[:2]
    assert "cat" in cat.answer.caption and "cat" in about.instruction


def test_a_fashion_photograph_is_taken_apart(nano: Checkpoint, data_root: Path) -> None:
    photo = data_root / "ccp" / "val" / "images" / "0042.jpg"
    labels = np.asarray(Image.open(data_root / "ccp" / "val" / "labels" / "0042.png"))
    (record,) = _records(Pipeline(nano, Options(questions=(Question("the person", "label"),))), photo).values()
    (segcap,) = record.segcaps
    assert segcap.answer.seg_count >= 4
    person, truth = rle.decode(segcap.masks[0].rle), labels > 0
    assert (person & truth).sum() / (person | truth).sum() > 0.7


def test_answers_do_not_depend_on_the_batch_or_the_decoder(nano: Checkpoint) -> None:
    wide = _records(Pipeline(nano, Options(max_children=1)), EXAMPLES)
    narrow = _records(Pipeline(nano, Options(max_children=1, batch_size=1, decoder="torch")), EXAMPLES)
    for name, record in wide.items():
        for mine, theirs in zip(record.segcaps, narrow[name].segcaps, strict=True):
            assert mine.answer == theirs.answer
            for one, other in zip(mine.masks, theirs.masks, strict=True):
                assert (rle.decode(one.rle) != rle.decode(other.rle)).mean() < 1e-3


def test_broken_photographs_fail_alone_and_order_is_kept(tiny: Checkpoint, tmp_path: Path) -> None:
    photos = []
    for number in range(7):
        path = tmp_path / f"{number}.png"
        if number in (0, 3):
            path.write_text("no picture")
        else:
            Image.new("RGB", (40 + number, 30), (number * 30, 80, 90)).save(path)
        photos.append(Source(path, path.name))
    outcomes = list(Pipeline(tiny, Options(batch_size=2)).run(photos))
    assert [source.file_name for source, _ in outcomes] == [f"{number}.png" for number in range(7)]
    for number, (_, outcome) in enumerate(outcomes):
        if number in (0, 3):
            assert isinstance(outcome, Failure) and outcome.stage == "open"
        else:
            assert isinstance(outcome, PhotoRecord) and outcome.width == 40 + number


def test_out_of_order_nothing_that_is_done_waits(tiny: Checkpoint, tmp_path: Path) -> None:
    photos = []
    for number in range(9):
        path = tmp_path / f"{number}.png"
        Image.effect_noise((40 + number, 30), 60).convert("RGB").save(path)
        photos.append(Source(path, path.name))
    photos[1].path.write_text("no picture")
    options = Options(batch_size=2, max_new_tokens=12)
    ordered = list(Pipeline(tiny, options).run(photos))
    found = list(Pipeline(tiny, options).run(photos, in_order=False))
    # What can't be opened is done before the first answer is.
    assert [source.file_name for source, _ in found].index("1.png") == 0
    assert dict(found) == dict(ordered) and len(found) == len(photos)


def test_sources_are_read_as_they_are_needed(tiny: Checkpoint, tmp_path: Path) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    drawn: list[None] = []

    def endless() -> Iterator[Source]:
        while True:
            drawn.append(None)
            yield Source(tmp_path / "a.png", f"{len(drawn)}.png")

    run = Pipeline(tiny, Options(batch_size=2, granularity="panoptic", max_new_tokens=4)).run(endless())
    for _ in range(20):
        next(run)
    run.close()
    # Two batches ahead while decoding, one in the model, two behind it.
    assert len(drawn) <= 20 + 6 * 2


def test_fine_alone_leaves_the_panoptic_answer_out(tiny: Checkpoint, tmp_path: Path) -> None:
    model = leaning_to_seg(tiny, -1)
    Image.effect_noise((64, 48), 80).convert("RGB").save(tmp_path / "a.png")
    (record,) = _records(Pipeline(model, Options(granularity="fine", decoder="torch")), tmp_path).values()
    assert all(segcap.granularity == "fine" and segcap.parent is None for segcap in record.segcaps)


def test_a_model_without_decoder_says_what_to_do(tiny: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="mglmm export onnx"):
        Pipeline(replace(tiny, folder=tmp_path))


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"max_children": -1}, {"temperature": -1.0}])
def test_wrong_options_are_refused(wrong: dict) -> None:
    with pytest.raises(UsageError):
        Options(**wrong)
