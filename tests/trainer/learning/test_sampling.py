"""The stream of batches: the same whatever runs it, and with little padding."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.model.config import ModelConfig
from engine.model.presets import NANO
from engine.model.tokenizers import BpeTokenizer
from tests.trainer.data.recording import ENDLESS, photographs, referring, store
from trainer.data.corpus import corpus
from trainer.data.folders import Folder, Item
from trainer.data.mixture import Mixture
from trainer.data.sets import open_sets
from trainer.learning.batches import Batch, ExampleWriter
from trainer.learning.sampling import WINDOW, batches

TOKENIZER = BpeTokenizer.train(["Segment the cup. <p> the cup </p> [SEG]"] * 3, 400)
SETS = {"ccp": 0.36, "coco": 0.24, "camvid": 0.10, "person": 0.18, "captions": 0.12}
BATCH = 2


@pytest.fixture(scope="module")
def config() -> ModelConfig:
    small = NANO.model_copy(update={"pixel_encoder": NANO.pixel_encoder.model_copy(update={"image_size": 64})})
    return small


@pytest.fixture(scope="module", params=["records", "records and composed scenes"])
def mixture(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Mixture:
    folder = tmp_path_factory.mktemp("records")
    names = [f"{number:02}.png" for number in range(40)]
    photographs(folder, names)
    records = [referring(name, f"cup {'x ' * number}".strip()) for number, name in enumerate(names)]
    shards = store(folder / "set", records)
    texts = [f"A picture of a {'very ' * number}grey cup." for number in range(40)]
    items = tuple(Item(n, folder / "images" / n, captions=(text,)) for n, text in zip(names, texts, strict=True))
    composed = {} if request.param == "records" else {"captions": Folder("captions", items)}
    sets = dict.fromkeys(composed, 0.5)
    return Mixture.of(
        composed, sets, [(shards, 1.0)], {}, side=64, mask_frame="low_res", text_tokens=200, room=ENDLESS, seed=0
    )


def _batches(mixture: Mixture, config: ModelConfig, first: int, last: int, **options: int) -> list[Batch]:
    writer = ExampleWriter(config, TOKENIZER, text_tokens=200)
    options = {"workers": 0, "batch_size": BATCH, **options}
    return list(batches(mixture, writer, pad=TOKENIZER.pad, first=first, last=last, **options))


def _same(one: list[Batch], other: list[Batch]) -> bool:
    return len(one) == len(other) and all(
        torch.equal(a.ids, b.ids) and torch.equal(a.pixels, b.pixels) for a, b in zip(one, other, strict=True)
    )


def test_a_run_continues_with_the_very_batches(mixture: Mixture, config: ModelConfig) -> None:
    whole = _batches(mixture, config, 0, 3 * WINDOW)
    assert len(whole) == 3 * WINDOW
    for first, last in [(0, 1), (3, WINDOW), (WINDOW - 1, WINDOW + 2), (5, 2 * WINDOW + 3), (7, 7)]:
        assert _same(whole[first:last], _batches(mixture, config, first, last))


def test_loader_processes_change_nothing(mixture: Mixture, config: ModelConfig) -> None:
    alone = _batches(mixture, config, 2, 2 * WINDOW + 1)
    assert _same(alone, _batches(mixture, config, 2, 2 * WINDOW + 1, workers=2))


@pytest.mark.parametrize(("ranks", "accumulate"), [(2, 1), (1, 2), (2, 3)])
def test_however_a_step_is_cut_it_has_the_same_examples(
    mixture: Mixture, config: ModelConfig, ranks: int, accumulate: int
) -> None:
    def rows(found: list[Batch]) -> list[list[int]]:
        return sorted([i for i in row if i != TOKENIZER.pad] for batch in found for row in batch.ids.tolist())

    steps, size = WINDOW, BATCH * ranks * accumulate
    whole = _batches(mixture, config, 0, steps, batch_size=size)
    options = {"ranks": ranks, "accumulate": accumulate}
    parts = [_batches(mixture, config, 0, steps * accumulate, rank=rank, **options) for rank in range(ranks)]
    for step, batch in enumerate(whole):
        cut = [part[step * accumulate + n] for part in parts for n in range(accumulate)]
        assert {len(piece.ids) for piece in cut} == {BATCH}
        assert rows(cut) == rows([batch])


def test_lengths_do_not_rise_with_the_steps(mixture: Mixture, config: ModelConfig) -> None:
    lengths = [batch.ids.shape[1] for batch in _batches(mixture, config, 0, WINDOW)]
    assert len(set(lengths)) > 2 and lengths != sorted(lengths)


def test_padding_of_the_real_sets_is_under_15_percent(data_root: Path) -> None:
    folders = open_sets(data_root, names=("ccp", "camvid", "coco", "person", "captions"))
    small = NANO.model_copy(update={"pixel_encoder": NANO.pixel_encoder.model_copy(update={"image_size": 192})})
    tokenizer = BpeTokenizer.train(corpus(folders.values(), scenes=2), 3072)
    mixture = Mixture.of(folders, SETS, [], {}, side=192, mask_frame="low_res", text_tokens=256, room=ENDLESS, seed=0)
    writer = ExampleWriter(small, tokenizer, text_tokens=256)
    stream = batches(mixture, writer, pad=tokenizer.pad, batch_size=8, first=0, last=WINDOW, workers=0)
    padding, total = 0, 0
    for batch in stream:
        padding += int((batch.ids == tokenizer.pad).sum())
        total += batch.ids.numel()
    assert padding < 0.15 * total


def test_padding_of_rows_of_very_different_lengths_is_under_15_percent(mixture: Mixture, config: ModelConfig) -> None:
    found = _batches(mixture, config, 0, WINDOW, batch_size=8)
    padding = sum(int((batch.ids == TOKENIZER.pad).sum()) for batch in found)
    assert padding < 0.15 * sum(batch.ids.numel() for batch in found)
