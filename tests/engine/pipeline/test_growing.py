"""A list that grows: an answer comes as soon as it is ready, whatever the list does."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from PIL import Image

from engine.images.sources import Source
from engine.model.checkpoint import Checkpoint
from engine.pipeline.pipeline import Options, Pipeline
from engine.records import Failure, PhotoRecord

PATIENCE = 120.0
OPTIONS = Options(granularity="panoptic", batch_size=4, max_new_tokens=4, decoder="torch")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    folder = tmp_path_factory.mktemp("photos")
    for number in range(5):
        Image.effect_noise((40 + number, 30), 60).convert("RGB").save(folder / f"{number}.png")
    (folder / "2.png").write_text("no picture")
    return [Source(path, path.name) for path in sorted(folder.iterdir())]


class Growing:
    """Names one photograph whenever it is told to."""

    def __init__(self, photographs: list[Source]) -> None:
        self._photographs = photographs
        self.next = threading.Semaphore(0)
        self.asked = threading.Semaphore(0)

    def __iter__(self) -> Iterator[Source]:
        for photograph in self._photographs:
            self.asked.release()
            assert self.next.acquire(timeout=PATIENCE), "the answer was waited for, and the list for the answer"
            yield photograph


@pytest.mark.parametrize("in_order", [True, False])
def test_each_answer_comes_before_the_next_name(tiny: Checkpoint, photographs: list[Source], in_order: bool) -> None:
    growing = Growing(photographs)
    run = Pipeline(tiny, OPTIONS).run(growing, in_order=in_order)
    growing.next.release()
    outcomes = []
    for source, outcome in run:
        outcomes.append(outcome)
        assert source is photographs[len(outcomes) - 1]
        growing.next.release()
    assert [type(outcome) for outcome in outcomes] == [PhotoRecord, PhotoRecord, Failure, PhotoRecord, PhotoRecord]
    assert outcomes == [outcome for _, outcome in Pipeline(tiny, OPTIONS).run(photographs)]


def test_what_is_in_hand_is_answered_before_a_broken_list_is_told(tiny: Checkpoint, photographs: list[Source]) -> None:
    def breaking() -> Iterator[Source]:
        yield from photographs[:2]
        raise ValueError("no list")

    outcomes = []
    with pytest.raises(ValueError, match="no list"):
        for _, outcome in Pipeline(tiny, OPTIONS).run(breaking()):
            outcomes.append(outcome)
    assert [outcome.file_name for outcome in outcomes] == ["0.png", "1.png"]


def test_a_run_that_is_left_does_not_wait_for_its_list(tiny: Checkpoint, photographs: list[Source]) -> None:
    growing = Growing(photographs)
    growing.next.release()
    run = Pipeline(tiny, OPTIONS).run(growing)
    next(run)
    assert growing.asked.acquire(timeout=PATIENCE) and growing.asked.acquire(timeout=PATIENCE)
    run.close()  # while the list is asked for its second name
    growing.next.release(9)


def test_batches_are_full_where_the_list_is_all_there(
    tiny: Checkpoint, photographs: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.pipeline.answering import Answerer, Encoded

    encode, sizes = Answerer.encode, []

    def noting(self: Answerer, views) -> list[Encoded]:  # type: ignore[no-untyped-def]
        sizes.append(len(views))
        return encode(self, views)

    monkeypatch.setattr(Answerer, "encode", noting)
    forced = Options(granularity="panoptic", batch_size=4, max_new_tokens=4, decoder="torch", forced=True)
    sound = [photographs[number] for number in (0, 1, 3, 4)] * 3
    assert len(list(Pipeline(tiny, forced).run(sound))) == 12
    assert sizes == [4, 4, 4]
