from __future__ import annotations

import json
from pathlib import Path

import pytest

from trainer.benchmarks.photos.names import ANY, Names, read_synonyms

COCO = (
    "person",
    "dog",
    "cat",
    "bear",
    "teddy bear",
    "hot dog",
    "cup",
    "wine glass",
    "couch",
    "horse",
    "car",
    "sports ball",
)
CCP = ("pants", "jeans", "boots", "intimate", "shirt", "t-shirt")


@pytest.mark.parametrize(
    ("phrase", "label"),
    [
        ("a tabby cat", "cat"),
        ("Two Egyptian cats", "cat"),
        ("the golden retriever on the left", "dog"),
        ("a cocker spaniel", "dog"),
        ("a black and white cat", "cat"),
        ("the man riding a horse", "person"),
        ("a group of people", "person"),
        ("a man and a dog", "person"),
        ("glasses of wine", "wine glass"),
        ("a large glass of red wine on a table", "wine glass"),
        ("a cup of coffee", "cup"),
        ("a sofa", "couch"),
        ("a ball", "sports ball"),
    ],
)
def test_right(phrase: str, label: str) -> None:
    names = Names.of("coco", COCO)
    assert [other for other in COCO if names.is_right(phrase, other)] == [label]


@pytest.mark.parametrize(
    ("phrase", "label"),
    [
        ("an animal", "cat"),
        ("a hot dog", "dog"),
        ("a teddy bear", "bear"),
        ("a picture of a cat", "cat"),
        ("the man riding a horse", "horse"),
        ("a car door", "car"),
        ("the dog's tail", "dog"),
        ("espresso", "cup"),
        ("", "cat"),
        ("the", "cat"),
        ("of", "cat"),
        ("and a", "cat"),
    ],
)
def test_wrong(phrase: str, label: str) -> None:
    assert not Names.of("coco", COCO).is_right(phrase, label)


def test_what_is_another_class_of_the_set_is_wrong() -> None:
    names = Names.of("ccp", CCP)
    assert names.is_right("blue jeans", "jeans") and not names.is_right("blue jeans", "pants")
    assert names.is_right("a boot", "boots") and names.is_right("trousers", "pants")
    assert names.is_right("underwear", "intimate") and not names.is_right("a white t-shirt", "shirt")
    assert Names.of("ccp", ("pants",)).is_right("blue jeans", "pants")  # without such a class they are


def test_a_set_adds_to_what_holds_for_all() -> None:
    assert Names.of("camvid", ("car",)).is_right("a bus", "car")
    assert not Names.of("coco", ("car",)).is_right("a bus", "car")
    assert Names.of("coco", ("car",)).is_right("a taxi", "car")


def test_a_class_that_the_file_does_not_know_has_its_own_name() -> None:
    names = Names.of("new", ("bread bin",))
    assert names.is_right("two red bread bins", "bread bin") and not names.is_right("a bin", "bread bin")


def test_the_file_says_each_thing_once() -> None:
    for section in read_synonyms().values():
        for words in section.values():
            assert all(word and word == word.lower() for word in words)
            assert len(set(words)) == len(words), words


@pytest.mark.parametrize("dataset", ["voc", "camvid", "ccp", "carparts", "facade"])
def test_every_class_of_a_set_has_a_line(dataset: str, data_root: Path) -> None:
    classes = (data_root / dataset / "classes.txt").read_text(encoding="utf-8").splitlines()
    known = read_synonyms()[ANY].keys() | read_synonyms().get(dataset, {}).keys()
    assert {label for label in classes if label not in known} <= {"background", "unlabelled", "null"}


def test_every_class_of_coco_has_a_line_or_no_other_name(data_root: Path) -> None:
    content = json.loads((data_root / "coco/val/instances.json").read_text(encoding="utf-8"))
    classes = {category["name"] for category in content["categories"]}
    assert len(classes) == 80
    assert classes - read_synonyms()[ANY].keys() == {"zebra", "giraffe", "kite"}
