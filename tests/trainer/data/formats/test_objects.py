"""What is asked about many objects: limits of length, balance of what is there and what is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from engine.masks.rle import encode
from engine.records import RLE
from engine.text.grammar import parse
from engine.text.prompts import FAMILIES, Task
from tests.trainer.data.formats.made import told
from trainer.data.formats.asking import Photograph, Questions
from trainer.data.formats.base import Skipped
from trainer.data.formats.objects import Group, Objects
from trainer.data.record import Record

PHOTOGRAPH = Photograph("a.jpg", 60, 60)

Ask = Callable[[Objects, Photograph, Sequence[Group], str], Iterator[Record]]


def bar(number: int, height: int = 10) -> RLE:
    """A column of its own for each number."""
    mask = np.zeros((1, 60, 60), np.bool_)
    mask[0, :height, number] = True
    return encode(mask)[0]


def group(label: str, *numbers: int, height: int = 10, stuff: bool = False) -> Group:
    masks = tuple(bar(number, height) for number in numbers)
    return Group(label, () if stuff else masks, masks if stuff else (), stuff)


def ask(ask_for: Ask, *groups: Group) -> tuple[list[Record], Skipped]:
    skipped = Skipped()
    return list(ask_for(Objects(Questions(FAMILIES, skipped), skipped), PHOTOGRAPH, groups, "s")), skipped


def test_a_class_list_has_the_twelve_largest_classes_the_largest_first() -> None:
    groups = [group(f"class{number}", number, height=20 + number) for number in range(20)]
    (record,), _ = ask(Objects.semantic, *groups)
    names = [phrase.text for phrase in parse(told(record)[1]).phrases]
    assert names == [f"class{number}" for number in range(19, 7, -1)]


def test_instances_are_the_ten_largest_class_by_class_left_to_right() -> None:
    small, large = group("cup", *range(0, 8)), group("dog", *range(10, 18), height=20)
    (record,), _ = ask(Objects.instance, small, large)
    assert [phrase.text for phrase in parse(told(record)[1]).phrases] == ["dog"] * 8 + ["cup"] * 2
    assert record.masks == (*large.members, bar(0), bar(1))


@pytest.mark.parametrize("ask_for", [Objects.semantic, Objects.panoptic, Objects.gcg])
def test_what_is_tiny_is_not_named(ask_for: Ask) -> None:
    (record,), _ = ask(ask_for, group("dog", 3, height=60), group("fly", 5, height=1))
    assert "fly" not in told(record)[1]


def test_captions_name_eight_classes_and_five_objects_of_each() -> None:
    groups = [
        group("dog", *range(7), height=40),
        *(group(f"cup{number}", 10 + number, height=20) for number in range(9)),
    ]
    (record,), _ = ask(Objects.gcg, *groups)
    phrases = parse(told(record)[1]).phrases
    assert len(phrases) == 8 and phrases[0].text == "several dogs" and len(phrases[0].segs) == 5
    (record,), _ = ask(Objects.panoptic, *groups)
    assert [len(phrase.segs) for phrase in parse(told(record)[1]).phrases] == [1] * 8


@pytest.mark.parametrize("ask_for", [Objects.semantic, Objects.instance, Objects.panoptic, Objects.gcg, Objects.named])
def test_nothing_is_asked_about_nothing(ask_for: Ask) -> None:
    unusable = Group("dog", (), complete=False)
    assert ask(ask_for)[0] == ask(ask_for, unusable)[0] == []


def test_too_many_to_list_are_not_asked_for_and_stuff_has_no_number() -> None:
    records, skipped = ask(Objects.named, group("cup", *range(11)), group("sky", 20, stuff=True))
    assert not records
    assert skipped.reasons() == [("more than 10 of a class", 1, ("s, cup",))]


def test_a_name_does_not_tell_the_answer() -> None:
    rng = np.random.default_rng(0)
    skipped = Skipped()
    objects = Objects(Questions(FAMILIES, skipped), skipped)
    labels = ["dog", "cup", "bus", "kite", "tie", "bed"]
    there: Counter[str] = Counter()
    denied: Counter[str] = Counter()
    for _ in range(400):
        present = [label for label in labels if rng.random() < 0.3]
        groups = [group(label, *range(rng.integers(1, 3))) for label in present]
        for record in objects.named(PHOTOGRAPH, groups, "s"):
            (name,) = (label for label in labels if label in told(record)[0] or f"{label}s" in told(record)[0])
            assert bool(record.masks) == (name in present)
            (there if record.masks else denied)[name] += 1
            assert record.task in (Task.REFERRING, Task.MULTIPLE)
    assert all(0.4 < denied[label] / there[label] <= 1.0 for label in labels)
