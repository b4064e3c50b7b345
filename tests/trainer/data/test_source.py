"""Records become photographs with conversations, in the frame in which masks are compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.decoding.sequence import Turn
from engine.errors import UsageError
from engine.text.prompts import Task
from tests.trainer.data.recording import ENDLESS, caption, mask, photographs, referring, store, words
from trainer.data.folders import CocoObject, Folder, Item
from trainer.data.record import Record
from trainer.data.source import TEMPLATE_TOKENS, TOKENS_PER_WORD, ComposedScenes, RecordedConversations, Room

RNG = np.random.default_rng(0)


def _source(
    folder: Path, records: list[Record], *, side: int | None = None, tokens: int = 100, shard_bytes: int = 10**6
) -> RecordedConversations:
    photographs(folder, sorted({record.image for record in records}))
    shards = store(folder / "set", records, shard_bytes)
    return RecordedConversations(shards, Task.REFERRING, text_tokens=tokens, room=ENDLESS, side=side)


def test_in_its_own_frame_a_photograph_keeps_its_pixels_and_masks(tmp_path: Path) -> None:
    history = Turn("Where is the mat?", "<p> the mat </p> [SEG]")
    record = referring("a.png", "the cup", mask(0, 3), None)
    record = Record("a.png", 20, 30, Task.REFERRING, (history, *record.turns), (mask(5, 9), *record.masks), "made")
    drawn = _source(tmp_path, [record]).draw(0, RNG)
    assert drawn.scene.image.shape == (20, 30, 3)
    (talk,) = drawn.conversations
    assert talk.turns == record.turns
    first, second, unknown = talk.masks
    assert first is not None and second is not None and unknown is None
    assert first.shape == (20, 30) and first.dtype == np.bool_
    assert np.flatnonzero(first[0]).tolist() == [5, 6, 7, 8]
    assert np.flatnonzero(second[0]).tolist() == [0, 1, 2]


@pytest.mark.parametrize(("side", "size"), [(15, (10, 15)), (90, (60, 90)), (31, (21, 31))])
def test_for_the_pixel_view_photograph_and_masks_are_resized_alike(
    tmp_path: Path, side: int, size: tuple[int, int]
) -> None:
    drawn = _source(tmp_path, [referring("a.png")], side=side).draw(0, RNG)
    assert drawn.scene.image.shape == (*size, 3)
    found = drawn.conversations[0].masks[0]
    assert found is not None and found.shape == size
    assert found[:, : side // 2].all() and not found[:, side // 2 + 1 :].any()


def test_records_of_a_photograph_that_stand_together_come_together_as_far_as_they_fit(tmp_path: Path) -> None:
    records = [
        referring("a.png", "one"),
        caption("a.png"),
        referring("a.png", "two"),
        *(referring("b.png", f"number {number:02}") for number in range(40)),
        referring("c.png", "x " * 100),
        referring("c.png", "small"),
        referring("a.png", "three"),
    ]
    tokens = 100
    source = _source(tmp_path, records, tokens=tokens)
    assert source.records == 45
    drawn = [source.draw(number, RNG) for number in range(len(source))]
    groups = [{talk.instruction for talk in one.conversations} for one in drawn]
    assert groups[0] == {"Segment one.", "Segment two."}
    assert {"Segment three."} in groups and {"Segment small."} in groups
    assert sum(len(group) for group in groups) == 45 == len(set().union(*groups))
    for one in drawn:
        length = sum(9 * TOKENS_PER_WORD + TEMPLATE_TOKENS for _ in one.conversations)
        assert length <= tokens or len(one.conversations) == 1
    assert max(len(group) for group in groups) > 2


def test_several_shards_are_one_source(tmp_path: Path) -> None:
    records = [referring(f"{number // 2}.png", f"cup {number}") for number in range(30)]
    source = _source(tmp_path, records, shard_bytes=1000)
    assert len(list((tmp_path / "set").glob("*.jsonl"))) > 2
    drawn = [source.draw(number, RNG) for number in range(len(source))]
    found = sorted((one.scene.name, talk.instruction) for one in drawn for talk in one.conversations)
    assert found == sorted((record.image, record.turns[0].question) for record in records)
    assert source.length(0) == len(drawn[0].conversations) * (9 + TEMPLATE_TOKENS)


def test_together_they_come_in_any_order(tmp_path: Path) -> None:
    source = _source(tmp_path, [referring("a.png", f"cup {number}") for number in range(3)], tokens=500)
    orders = {
        tuple(talk.instruction for talk in source.draw(0, np.random.default_rng(seed)).conversations)
        for seed in range(20)
    }
    assert len(source) == 1 and len(orders) > 3


def test_a_photograph_that_is_not_as_recorded_is_named(tmp_path: Path) -> None:
    source = _source(tmp_path, [referring("a.png"), referring("b.png")])
    photographs(tmp_path, ["a.png"], size=(20, 30))
    with pytest.raises(UsageError, match=r"a.png: has 20 x 30 pixels, but 30 x 20 in its record \(made: the cup\)"):
        source.draw(0, RNG)
    (tmp_path / "images" / "b.png").unlink()
    with pytest.raises(UsageError, match=r"b.png: no such file \(photograph of made: the cup\)"):
        source.draw(1, RNG)


def test_composed_scenes_of_which_nothing_can_be_said_are_an_error(tmp_path: Path) -> None:
    photographs(tmp_path, ["a.png"])
    source = ComposedScenes(
        Folder("captions", (Item("a.png", tmp_path / "images" / "a.png"),)), 30, ENDLESS, train=True
    )
    with pytest.raises(UsageError, match="captions: nothing can be said about 200 photographs, as a.png"):
        source.draw(0, RNG)


def test_without_training_a_photograph_is_as_it_is(tmp_path: Path) -> None:
    photographs(tmp_path, ["a.png"])
    items = (Item("a.png", tmp_path / "images" / "a.png", captions=("A grey picture of a cup.",)),)
    varied, plain = (ComposedScenes(Folder("captions", items), 15, ENDLESS, train=train) for train in (True, False))
    first, second = (plain.draw(0, np.random.default_rng(seed)) for seed in (0, 1))
    assert first.scene.image.shape == (10, 15, 3)
    np.testing.assert_array_equal(first.scene.image, second.scene.image)
    means = {float(varied.draw(0, np.random.default_rng(seed)).scene.image.mean()) for seed in range(5)}
    assert len(means) > 1


def test_a_photograph_with_objects_gains_some_of_another_in_training_alone(tmp_path: Path) -> None:
    photographs(tmp_path, ["a.png", "b.png"])
    square = ([[10.0, 5.0, 20.0, 5.0, 20.0, 15.0, 10.0, 15.0]],)
    a = Item("a.png", tmp_path / "images" / "a.png", objects=(CocoObject("cup", 1, *square, False),))
    b = Item("b.png", tmp_path / "images" / "b.png", objects=(CocoObject("cat", 2, *square, False),))
    folder = Folder("coco", (a, b), ("background", "cup", "cat"))
    found: dict[bool, list[tuple[str, ...]]] = {}
    for train in (True, False):
        source = ComposedScenes(folder, 30, ENDLESS, train=train)
        drawn = [source.draw(0, np.random.default_rng(seed)).scene for seed in range(60)]
        found[train] = [tuple(sorted(thing.label for thing in scene.things)) for scene in drawn]
    assert set(found[False]) == {("cup",)}
    added = sum(len(labels) > 1 or labels == ("cat",) for labels in found[True])
    assert 15 <= added <= 45 and ("cat", "cup") in found[True]


def _long(image: str, label: str, times: int) -> Record:
    return referring(image, " ".join([label] * times))


def test_what_the_model_has_no_room_for_is_left_out_and_named(tmp_path: Path) -> None:
    records = [
        _long("a.png", "cup", 3),
        _long("b.png", "mat", 200),
        _long("c.png", "hat", 400),
        _long("d.png", "cat", 4),
    ]
    photographs(tmp_path, ["a.png", "b.png", "c.png", "d.png"])
    room = Room(600, lambda turns: words(turns) <= 600)
    source = RecordedConversations(
        store(tmp_path / "set", records), Task.REFERRING, text_tokens=100, room=room, side=None
    )
    # One is longer than a row and trained whole, one is longer than the model has positions.
    assert source.remark == (
        "by their words, 2 of 4 conversations are longer than text_tokens (100): 1 trained whole, each in a row of its "
        "own, 1 left out, longer than the 600 tokens that the model has positions for"
    )
    drawn = [source.draw(number, np.random.default_rng(0)) for number in range(4)]
    assert [one.left_out for one in drawn] == [(), (), (records[2].source,), ()]
    assert drawn[1].conversations[0].turns == records[1].turns
    others = {source.draw(2, np.random.default_rng(seed)).scene.name for seed in range(30)}
    assert others == {"a.png", "b.png", "d.png"}
    again = source.draw(2, np.random.default_rng(0))
    assert again.scene.name == drawn[2].scene.name


def test_the_tokens_decide_and_not_the_words_of_the_index(tmp_path: Path) -> None:
    """Text without spaces is one word to the index."""
    photographs(tmp_path, ["a.png", "b.png"])
    shards = store(tmp_path / "set", [referring("a.png", "x" * 5000), referring("b.png", "cup")])
    letters = Room(100, lambda turns: sum(len(turn.answer) for turn in turns) <= 100)
    source = RecordedConversations(shards, Task.REFERRING, text_tokens=100, room=letters, side=None)
    assert source.remark == ""
    drawn = source.draw(0, np.random.default_rng(0))
    assert drawn.scene.name == "b.png" and set(drawn.left_out) == {f"made: {'x' * 5000}"}


@pytest.mark.parametrize("label", ["cup " * 500, "x" * 5000])
def test_a_set_of_which_nothing_fits_is_refused_and_not_tried_for_ever(tmp_path: Path, label: str) -> None:
    photographs(tmp_path, ["a.png", "b.png"])
    shards = store(tmp_path / "set", [referring("a.png", label), referring("b.png", f"{label} too")])
    source = RecordedConversations(shards, Task.REFERRING, text_tokens=100, room=Room(50, lambda _: False), side=None)
    with pytest.raises(
        UsageError, match=r"set: \d conversations .* longer than the 50 tokens .* such as made: "
    ) as told:
        source.draw(0, np.random.default_rng(0))
    assert len(str(told.value)) < 1000


def test_composed_conversations_must_fit_too(tmp_path: Path) -> None:
    photographs(tmp_path, ["a.png"])
    items = (Item("a.png", tmp_path / "images" / "a.png", captions=("A grey picture of a cup.",)),)
    source = ComposedScenes(Folder("captions", items), 15, Room(5, lambda turns: words(turns) <= 5), train=False)
    with pytest.raises(UsageError, match="nothing can be said about 200 photographs"):
        source.draw(0, RNG)
