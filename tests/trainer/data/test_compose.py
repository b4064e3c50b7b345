"""Exact answers over hand-made scenes, and invariants over random ones."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.text.grammar import parse
from engine.text.granularity import children
from engine.text.prompts import Task
from tests.trainer.data.scenes import COLOURS, SIZE, building, car, dressed, scene, street, traffic
from trainer.data.compose import Conversation, conversations, reference, reference_labels
from trainer.data.compose.captions import caption, grounded, grounded_captions, tidy
from trainer.data.compose.denial import deniable, draw_absent
from trainer.data.compose.denial_tables import CAMVID, CAR, CCP, COCO, FACADE, VOC
from trainer.data.compose.kinds import KINDS
from trainer.data.compose.kinds.captioned import person_word
from trainer.data.compose.kinds.objects import object_targets
from trainer.data.compose.nouns import counted, definite, indefinite
from trainer.data.compose.reasoning import REASONS, reasoning
from trainer.data.compose.segcap import fine_thing, fine_whole, gcg
from trainer.data.compose.segmentation import deny, instance, multiple, semantic
from trainer.data.compose.text import chat, region
from trainer.data.compose.view import View
from trainer.data.compose.words import one_person
from trainer.data.scene import Kind, Scene


def answer(entry: Conversation | None) -> str:
    assert entry is not None
    return entry.answer


def test_fine_person() -> None:
    entry = reference(dressed(), Task.FINE_SEGCAP)
    assert entry is not None
    assert entry.answer == (
        "<p> The person </p> [SEG] has <p> black hair </p> [SEG] and <p> bare skin </p> [SEG], "
        "wears <p> a red t-shirt </p> [SEG], <p> blue jeans </p> [SEG] and <p> black shoes </p> [SEG], "
        "and carries <p> a white bag </p> [SEG]."
    )
    assert entry.instruction == "Describe the person in the image comprehensively, with interleaved masks."
    assert reference_labels(entry)[:3] == ("The person", "black hair", "bare skin")
    assert np.array_equal(entry.known_masks[0], np.logical_or.reduce(entry.known_masks[1:]))


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (("skin",), "<p> The person </p> [SEG] has <p> bare skin </p> [SEG]."),
        (("jeans",), "<p> The person </p> [SEG] wears <p> blue jeans </p> [SEG]."),
        (("bag",), "<p> The person </p> [SEG] carries <p> a white bag </p> [SEG]."),
        (
            ("skin", "jeans"),
            "<p> The person </p> [SEG] has <p> bare skin </p> [SEG], and wears <p> blue jeans </p> [SEG].",
        ),
    ],
)
def test_fine_person_without_some_clauses(labels: tuple[str, ...], text: str) -> None:
    full = dressed()
    some = Scene("x", "ccp", full.image, tuple(thing for thing in full.things if thing.label in labels))
    assert answer(fine_whole(View(some))) == text


def test_panoptic() -> None:
    assert answer(reference(dressed(), Task.PANOPTIC_SEGCAP)) == (
        "<p> A person </p> [SEG] stands in the centre of the image, wearing a red t-shirt, blue jeans and black shoes."
    )
    assert answer(reference(street(), Task.PANOPTIC_SEGCAP)) == (
        "The image shows a street scene with <p> the sky </p> [SEG], <p> the road </p> [SEG] and <p> cars </p> [SEG]."
    )
    assert answer(reference(traffic(), Task.PANOPTIC_SEGCAP)) == (
        "The image shows <p> a red bus </p> [SEG] on the left and <p> two people </p> [SEG]."
    )
    assert reference(scene("coco"), Task.PANOPTIC_SEGCAP) is None
    assert reference(traffic(), Task.FINE_SEGCAP) is None


def test_fine_thing() -> None:
    assert answer(fine_thing(View(dressed()), "jeans")) == "<p> The jeans </p> [SEG] are blue and worn by the person."
    assert answer(fine_thing(View(dressed()), "skin")) == "<p> The skin </p> [SEG] is part of the person."
    assert answer(fine_thing(View(street()), "road")) == "<p> The road </p> [SEG] is at the bottom of the image."
    assert answer(fine_thing(View(traffic()), "bus")) == "<p> The bus </p> [SEG] is red and on the left of the image."
    people = fine_thing(View(traffic()), "person")
    assert answer(people) == "<p> The people </p> [SEG] are at the top of the image."
    assert people is not None and np.array_equal(people.known_masks[0], View(traffic()).union("person"))


def test_objects_are_asked_for_as_the_panoptic_answer_names_them() -> None:
    whole = reference(traffic(), Task.PANOPTIC_SEGCAP)
    assert whole is not None
    wanted = {child.label for child in children(parse(whole.answer), [0.3, 0.2], 9)}
    assert wanted == {"the red bus", "the people"}
    asked = [
        entry.instruction
        for seed in range(150)
        for entry in conversations(traffic(), np.random.default_rng(seed))
        if entry.task == Task.FINE_SEGCAP
    ]
    for name in wanted:
        assert any(f" {name} " in question for question in asked), name
    assert not any(" the person " in question for question in asked)
    coloured = fine_thing(View(traffic()), "bus", coloured=True)
    assert coloured is not None and " the red bus " in coloured.instruction
    assert answer(coloured) == answer(fine_thing(View(traffic()), "bus"))


def test_gcg_has_a_mask_per_instance_left_to_right() -> None:
    entry = gcg(View(traffic()))
    assert entry is not None
    assert entry.answer == "The image shows <p> a red bus </p> [SEG] and <p> two people </p> [SEG] [SEG]."
    assert entry.known_masks[1].any(axis=0).argmax() < entry.known_masks[2].any(axis=0).argmax()


def test_generic_segmentation() -> None:
    assert answer(semantic(View(street()))) == "<p> sky </p> [SEG], <p> road </p> [SEG], <p> car </p> [SEG]"
    assert answer(instance(View(traffic()))) == "<p> bus </p> [SEG], <p> person </p> [SEG], <p> person </p> [SEG]"
    assert instance(View(street())) is None
    assert answer(multiple(View(traffic()), "person")) == "<p> people </p> [SEG] [SEG]"


def test_referring_expressions_are_unique() -> None:
    names = [name for name, _ in object_targets(View(traffic()), "person")]
    assert names == ["the left person", "the person on the left", "the right person", "the person on the right"]
    assert [name for name, _ in object_targets(View(traffic()), "bus")] == ["the bus", "the red bus"]
    assert "the people" not in {name for group in KINDS["camvid"].targets(View(street())) for name, _ in group}
    crowd = scene("coco", ("person", "white", (0, 20, 0, 20)), crowds=("person",))
    assert KINDS["coco"].targets(View(crowd)) == []


def test_refusals_name_what_is_absent() -> None:
    rng = np.random.default_rng(0)
    for kind, made in (("ccp", dressed()), ("camvid", street()), ("coco", traffic())):
        for task in (Task.REFERRING, Task.MULTIPLE):
            entry = deny(View(made), rng, task)
            assert entry is not None and entry.masks == (), kind
            assert entry.answer.startswith("Sorry, I don't see any ") and "<p>" not in entry.answer
    assert draw_absent(View(scene("person", ("person", "white", (0, 30, 0, 30)))), rng) is None


@pytest.mark.parametrize(("made", "words"), [(traffic(), {"red", "left", "right", "largest"}), (dressed(), {"black"})])
def test_what_is_not_there_is_asked_for_by_colour_and_place_too(made: Scene, words: set[str]) -> None:
    rng = np.random.default_rng(0)
    asked = [entry for entry in (deny(View(made), rng) for _ in range(300)) if entry is not None]
    assert words <= {word for entry in asked for word in entry.instruction.replace(".", " ").split()}
    # A place is not part of what is missing, a colour is.
    refused = {entry.answer.removeprefix("Sorry, I don't see any ") for entry in asked}
    assert not any("left" in name or "largest" in name for name in refused)
    assert any(name.startswith("black ") for name in refused)


def test_nothing_that_may_be_there_is_denied() -> None:
    view = View(dressed())
    assert not {"shirt", "top", "purse", "boots", "shoes", "pants"} & set(deniable(view))
    assert {"dress", "hat", "scarf"} <= set(deniable(view))
    crowd = View(scene("coco", crowds=("person",)))
    assert "person" not in deniable(crowd) and "dog" in deniable(crowd)
    assert "person" in {draw_absent(View(street()), np.random.default_rng(seed)) for seed in range(60)}


def test_reasoning() -> None:
    feet = next(reason for reason in REASONS if "feet?" in reason.question)
    entry = reasoning(View(dressed()), feet)
    assert answer(entry) == "<p> The black shoes </p> [SEG] protect the feet."
    bare = scene("ccp", ("skin", "white", (0, 30, 10, 30)))
    assert answer(reasoning(View(bare), feet)) == "Sorry, I don't see any shoes in this image."
    passengers = next(reason for reason in REASONS if "passengers" in reason.question)
    assert answer(reasoning(View(traffic()), passengers)) == "<p> The red bus </p> [SEG] carries many people."
    assert reasoning(View(street()), feet) is None
    people = next(reason for reason in REASONS if reason.labels == ("person",))
    assert answer(reasoning(View(traffic()), people)) == "<p> The people </p> [SEG] [SEG] can speak."


def test_parts_of_a_car_without_a_mask_of_the_whole() -> None:
    entry = reference(car(), Task.FINE_SEGCAP)
    assert answer(entry) == (
        "The car has <p> a hood </p> [SEG], <p> a front left door </p> [SEG] and <p> wheels </p> [SEG]."
    )
    assert entry is not None and "the car" in entry.instruction
    assert reference(car(), Task.PANOPTIC_SEGCAP) is None


def test_a_building_and_its_parts() -> None:
    entry = reference(building(), Task.FINE_SEGCAP)
    assert answer(entry) == "<p> The building </p> [SEG] has <p> a facade </p> [SEG] and <p> windows </p> [SEG]."
    assert entry is not None and np.array_equal(entry.known_masks[0], entry.known_masks[1] | entry.known_masks[2])
    assert answer(reference(building(), Task.PANOPTIC_SEGCAP)) == (
        "The image shows <p> a building </p> [SEG], <p> plants </p> [SEG] and <p> the street </p> [SEG]."
    )


def test_an_object_without_parts_has_colour_place_and_relation() -> None:
    made = scene("voc", ("dog", "black", (5, 25, 2, 12)), ("couch", "red", (5, 35, 13, 38)))
    assert answer(fine_thing(View(made), "dog")) == (
        "<p> The dog </p> [SEG] is black, on the left of the image and next to a couch."
    )
    alone = scene("voc", ("dog", "black", (5, 25, 2, 12)))
    assert answer(fine_thing(View(alone), "dog")) == "<p> The dog </p> [SEG] is black and on the left of the image."


def test_what_is_not_counted_is_plural() -> None:
    made = scene("voc", ("sheep", "white", (5, 25, 2, 30)), ("car", "black", (28, 38, 2, 30)), crowds=("sheep", "car"))
    assert answer(reference(made, Task.PANOPTIC_SEGCAP)) == (
        "The image shows <p> sheep </p> [SEG] in the centre and <p> cars </p> [SEG] in the centre."
    )
    assert KINDS["voc"].targets(View(made)) == []


def test_every_reason_is_about_known_labels() -> None:
    known = {"ccp": CCP, "camvid": {**CAMVID, "sky": 99, "road": 99, "building": 99}, "coco": COCO}
    for reason in REASONS:
        assert set(reason.labels) <= set(known[reason.asked]), reason
        assert reason.plural or reason.singular


def test_captions() -> None:
    assert tidy("a dog  runs ") == "A dog runs."
    assert tidy("One. Two.") is None and tidy("word " * 21) is None and tidy("a <p> b") is None
    entry = caption(View(dressed()), np.random.default_rng(0))
    assert answer(entry) == "A person wearing a red t-shirt, blue jeans and black shoes and carrying a white bag."


def test_grounded_caption() -> None:
    view = View(traffic())
    assert grounded_captions(view) == ["Two people wait beside a red bus.", "A bus on the street."]
    assert answer(grounded(view, "Two people wait beside a red bus.")) == (
        "<p> Two people </p> [SEG] [SEG] wait beside <p> a red bus </p> [SEG]."
    )
    for text in ("A man waits.", "Three people wait.", "A man and a woman wait.", "People wait at a bus stop sign."):
        made = grounded(view, text)
        assert made is None or text.startswith("People"), text
    assert grounded(view, "A bus stop on the road.") is None


def test_one_person_is_one_person() -> None:
    assert one_person(["A man rides a horse.", "A man on a horse."]) == "man"
    assert one_person(["A tennis player serves.", "A player."]) == "player"
    for texts in (["A man and his friends."], ["Two men."], ["A man and a woman."], ["A dog."], ["A crowd, a man."]):
        assert one_person(texts) is None, texts
    spots = ("person", "white", (0, 30, 0, 30))
    assert person_word(View(scene("person", spots, captions=("A boy sits.",)))) == "boy"
    assert person_word(View(scene("person", spots, captions=("Boys sit.", "A boy sits.")))) is None


def test_region_and_chat() -> None:
    view = View(traffic())
    entry = region(view, "bus", view.union("bus"))
    assert entry is not None
    assert (entry.instruction, entry.answer) == ("Describe the region [0, 12, 35, 88].", "A red bus.")
    said = {
        (made.instruction, made.answer)
        for seed in range(80)
        if (made := chat(view, np.random.default_rng(seed))) is not None
    }
    assert ("How many people are in the image?", "There are two people in the image.") in said
    assert ("What colour is the bus?", "The bus is red.") in said
    assert ("Is there a bus in the image?", "Yes, there is a bus in the image.") in said


def test_nouns() -> None:
    assert indefinite("umbrella") == "an umbrella" and indefinite("umbrella", "red") == "a red umbrella"
    assert indefinite("jeans", "blue") == "blue jeans" and definite("skirt", "red") == "the red skirt"
    assert counted("person", 2) == "two people" and counted("bus", 7) == "several buses"


def test_conversation_counts_masks() -> None:
    with pytest.raises(ValueError, match="needs 1 masks"):
        Conversation(Task.REFERRING, "Segment it.", "<p> it </p> [SEG]", ())


def test_negative_and_positive_referring_are_both_common() -> None:
    rng = np.random.default_rng(1)
    made = [entry for _ in range(150) for entry in conversations(traffic(), rng) if entry.task == Task.REFERRING]
    share = sum(bool(entry.masks) for entry in made) / len(made)
    assert 0.45 < share < 0.75


_LABELS = {
    "ccp": sorted(CCP),
    "camvid": [*CAMVID, "sky", "road", "building"],
    "coco": sorted(COCO),
    "voc": sorted(VOC),
    "carparts": sorted(CAR),
    "facade": sorted(FACADE),
    "cocostuff": ["person", "bus", "sky", "wall"],
    "person": ["person"],
}


@st.composite
def random_scenes(draw: st.DrawFn) -> Scene:
    kind: Kind = draw(st.sampled_from([kind for kind in get_args(Kind) if kind != "records"]))
    labels = _LABELS.get(kind, [])
    spots = []
    by_class = ("ccp", "camvid", "carparts", "facade")
    if labels:
        corner = st.integers(0, SIZE - 4)
        spot = st.tuples(st.sampled_from(labels), st.sampled_from(sorted(COLOURS)), corner, corner, st.integers(1, 30))
        drawn = draw(st.lists(spot, max_size=9, unique_by=(lambda s: s[0]) if kind in by_class else None))
        spots = [(label, colour, (top, top + side, left, left + side)) for label, colour, top, left, side in drawn]
    texts = st.text(max_size=60) | st.sampled_from(["A man rides a bike.", "two dogs and a cat", "A person."])
    return scene(kind, *spots, captions=tuple(draw(st.lists(texts, max_size=3))))


@settings(deadline=None, max_examples=60)
@given(random_scenes(), st.integers(0, 2**32 - 1))
def test_every_conversation_parses(made: Scene, seed: int) -> None:
    for entry in conversations(made, np.random.default_rng(seed)):
        parsed = parse(entry.answer)
        assert parsed.seg_count == len(entry.masks)
        assert all(phrase.text for phrase in parsed.phrases)
        known = [mask for mask in entry.masks if mask is not None]
        assert len(known) == (0 if made.kind == "captions" else len(entry.masks))
        assert all(mask.shape == (SIZE, SIZE) and mask.any() for mask in known)
        assert "  " not in entry.answer and entry.instruction
    for task in Task:
        one, two = reference(made, task), reference(made, task)
        assert (one and one.answer) == (two and two.answer)
        if one is not None:
            assert len(reference_labels(one)) == len(one.masks)
