"""Wordings in turn, tags that nobody may write, what is asked for in vain."""

from __future__ import annotations

from engine.masks.rle import encode
from engine.text.prompts import FAMILIES, Task
from tests.trainer.data.formats.made import box, same, told
from trainer.data.formats.asking import Absent, Photograph, Questions, Target, left_to_right, listed
from trainer.data.formats.base import Skipped
from trainer.data.record import Record

PHOTOGRAPH = Photograph("a.jpg", 12, 20)
LEFT, RIGHT = box(0, 0, 4, 4), box(0, 10, 12, 12)


def test_the_wordings_of_a_task_take_turns() -> None:
    questions = Questions(FAMILIES, Skipped())
    target = Target("the cup", tuple(encode(LEFT[None])))
    asked: list[Record] = []
    for task in (Task.REFERRING, Task.SEMANTIC, Task.REFERRING, Task.SEMANTIC, Task.REFERRING, Task.REFERRING):
        asked += questions.ask(PHOTOGRAPH, task, [target], source="s", label="the cup")
    assert [told(record)[0] for record in asked if record.task == Task.REFERRING] == [
        "Segment the cup.",
        "Please segment the cup in the image.",
        "Where is the cup? Answer with a mask.",
        "Segment the cup.",
    ]
    assert {told(record)[1] for record in asked} == {"<p> the cup </p> [SEG]"}
    assert all(same(record, LEFT) for record in asked)


def test_a_phrase_that_can_not_be_written_is_noted() -> None:
    skipped = Skipped()
    questions = Questions(FAMILIES, skipped)
    for phrase in ("a </p> b", "[SEG]", " ", "the <image>"):
        target = Target(phrase, tuple(encode(LEFT[None])))
        assert not list(questions.ask(PHOTOGRAPH, Task.REFERRING, [target], source="s", label=phrase))
    assert skipped.reasons() == [
        ("a phrase that is blank or holds a tag of the prompts or answers", 4, ("s", "s", "s"))
    ]


def test_half_a_character_is_noted() -> None:
    """JSON can write it, no tokenizer takes it."""
    skipped = Skipped()
    target = Target("the \ud83c cup", tuple(encode(LEFT[None])))
    assert not list(Questions(FAMILIES, skipped).ask(PHOTOGRAPH, Task.REFERRING, [target], source="s", label="cup"))
    assert skipped.reasons() == [("text with half a character (a lone surrogate)", 1, ("s",))]


def test_what_is_spoken_of_as_something_present_is_not_denied() -> None:
    absent = Absent(str.lower)
    absent.affirmed("Fish")
    assert absent.draw({"fish"}) is None
    assert absent.draw({"dog"}) == "Fish"


def test_a_label_may_hold_braces() -> None:
    target = Target("the {x}", tuple(encode(LEFT[None])))
    (record,) = Questions(FAMILIES, Skipped()).ask(PHOTOGRAPH, Task.REFERRING, [target], source="s", label="the {x}")
    assert told(record) == ("Segment the {x}.", "<p> the {x} </p> [SEG]")


def test_what_is_not_there_is_what_was_there_most_often() -> None:
    absent = Absent()
    assert absent.draw(()) is None
    for name in ("cat", "dog", "dog", "bus"):
        absent.affirmed(name)
    assert absent.draw({"dog"}) == "cat"
    assert [absent.draw(()) for _ in range(4)] == ["dog", "dog", "bus", None]
    absent.affirmed("cat")
    assert absent.draw_from({"dog", "tree"}) is None
    assert absent.draw_from({"cat", "dog"}) == "cat"


def test_targets_stand_from_left_to_right_and_in_a_list() -> None:
    masks = [*encode(RIGHT[None]), *encode(LEFT[None])]
    assert left_to_right(masks) == (masks[1], masks[0])
    a, b, c = (Target(name, ()) for name in "abc")
    assert listed([a, b, c], "and") == [a, ",", b, "and", c]
    assert listed([a], "and") == [a]
