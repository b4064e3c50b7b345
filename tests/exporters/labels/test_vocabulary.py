"""A user's categories: files that list them, and which of them a phrase means."""

from __future__ import annotations

import codecs
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.errors import UsageError
from exporters.labels.naming import Naming, Wanted
from exporters.labels.vocabulary import Category, Vocabulary
from exporters.labels.vocabulary_file import read_vocabulary

COCO = {
    "categories": [
        {"id": 18, "name": "dog", "supercategory": "animal"},
        {"id": 10, "name": "traffic light", "supercategory": "outdoor"},
        {"id": 3, "name": "front left door"},
        {"id": 36, "name": "skis"},
        {"id": 37, "name": "Cup of Tea"},
    ]
}


def _write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.fixture
def coco(tmp_path: Path) -> Vocabulary:
    return read_vocabulary(_write(tmp_path, "mine.json", json.dumps(COCO)))


@pytest.mark.parametrize(
    ("phrase", "name"),
    [
        ("dog", "dog"),
        ("The Dog.", "dog"),
        ("two large dogs", "dog"),
        ("a brown dog lying on the grass", "dog"),
        ("red traffic lights at night", "traffic light"),
        ("traffic_light", "traffic light"),
        ("a light", None),
        ("the front left door", "front left door"),
        ("a dented front left door of the car", "front left door"),
        ("the front right door", None),
        ("a pair of skis", "skis"),
        ("a cup of tea", "Cup of Tea"),
        ("a hot dog stand", None),
        ("dog house", None),
        ("", None),
        ("...", None),
    ],
)
def test_what_a_phrase_means(coco: Vocabulary, phrase: str, name: str | None) -> None:
    found = coco.find(phrase)
    assert (found.name if found else None) == name


def test_ids_names_and_supercategories_are_those_of_the_file(coco: Vocabulary) -> None:
    assert coco.categories[0] == Category(18, "dog", "animal")
    assert coco.categories[2].entry == {"id": 3, "name": "front left door"}
    assert coco.source == "mine.json" and len(coco.sha256) == 64


def test_glasses_to_drink_from_are_several(tmp_path: Path) -> None:
    found = read_vocabulary(_write(tmp_path, "mine.txt", "wine glass\nglasses\n"))
    for phrase, name in (("several wine glasses", "wine glass"), ("a man's glasses", "glasses")):
        category = found.find(phrase)
        assert category is not None and category.name == name


@pytest.mark.parametrize(
    ("name", "content", "ids"),
    [
        ("data.yaml", "path: x\nnames: [cat, dog]\n", {"cat": 0, "dog": 1}),
        ("data.yml", "names:\n  0: cat\n  7: dog\n", {"cat": 0, "dog": 7}),
        ("mine.txt", "# animals\ncat\n\n dog \n", {"cat": 1, "dog": 2}),
        ("mine.names", codecs.BOM_UTF8 + b"cat\r\ndog\r\n", {"cat": 1, "dog": 2}),
        ("mine.txt", "cat\ndog\n".encode("utf-16"), {"cat": 1, "dog": 2}),
        ("mine.csv", "phrase,category\nkitten,cat\npuppy,dog\ntabby,cat\n", {"cat": 1, "dog": 2}),
        ("mine.tsv", "Category\tPhrase\ncat\t\ndog\tpuppy\n", {"cat": 1, "dog": 2}),
    ],
)
def test_files(tmp_path: Path, name: str, content: str | bytes, ids: dict[str, int]) -> None:
    found = read_vocabulary(_write(tmp_path, name, content))
    assert {category.name: category.id for category in found.categories} == ids


def test_other_phrases_of_a_table(tmp_path: Path) -> None:
    table = read_vocabulary(_write(tmp_path, "mine.csv", "phrase;category\nkitten;cat\npick-up truck;car\ncat;cat\n"))
    for phrase, name in (("two kittens", "cat"), ("a white pick-up truck", "car"), ("the car", "car"), ("truck", None)):
        found = table.find(phrase)
        assert (found.name if found else None) == name, phrase


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.json", "{}", "no COCO file: it has no list 'categories'"),
        ("a.json", '{"categories": [{"id": "1", "name": "cat"}]}', "categories[0] must have an 'id' that is a whole"),
        ("a.json", '{"categories": [{"id": 1, "name": "cat"}, {"id": 1, "name": "dog"}]}', "the id 1 is there 2 times"),
        ("a.json", '{"categories": [{"id": -1, "name": "cat"}]}', "ids are whole numbers from 0"),
        ("a.yaml", "nc: 3", "no 'names'"),
        ("a.yaml", "names: [cat, 3]", "names: 1: 3 is no whole number with a name"),
        ("a.yaml", "names: [cat", "not YAML"),
        ("a.txt", "cat\nCat\n", "the name 'cat' is there 2 times"),
        ("a.txt", "\n# nothing\n", "lists no category"),
        ("a.txt", b"caf\xe9\n", "is not UTF-8"),
        ("a.csv", "name\ncat\n", "no column 'phrase': the first line must name phrase and category"),
        ("a.csv", "phrase,category\nkitten,cat\nkitten,dog\n", "line 3: 'kitten' is of 'cat' and of 'dog'"),
        ("a.csv", "phrase,category\nkitten,\n", "line 2: 'kitten' has no category"),
        ("a.csv", 'phrase,category\nkitten,"cat\npuppy,dog\n', "unexpected end of data"),
    ],
)
def test_bad_files(tmp_path: Path, name: str, content: str | bytes, fault: str) -> None:
    path = _write(tmp_path, name, content)
    with pytest.raises(UsageError) as error:
        read_vocabulary(path)
    assert str(error.value).startswith(f"{path}: {fault}")


class _Letters:
    """Texts as the shares of their letters."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float64]:
        counts = np.array([[text.count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts], float)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True).clip(1e-9)


def test_a_text_model_comes_last() -> None:
    listed = Vocabulary("x", "", (Category(1, "dog"), Category(2, "cat")), encoder=_Letters())
    for phrase, name in (("catt", "cat"), ("a doggo", "dog"), ("dog", "dog"), ("jumpy", None), ("", None)):
        found = listed.find(phrase)
        assert (found.name if found else None) == name, phrase


def test_names_of_no_category_keep_ids_behind_those_of_the_list(coco: Vocabulary) -> None:
    keep, drop = (Naming(Wanted(coco, unmapped)) for unmapped in ("keep", "drop"))
    assert (keep("two apples"), drop("two apples"), keep("a dog"), drop("a dog")) == ("apple", None, "dog", "dog")
    assert not keep.is_mapped("two apples") and keep.is_mapped("dogs")
    found = keep.categories(["dog", "zebra", "apple"])
    assert [category.id for category in found] == [3, 10, 18, 36, 37, 38, 39]
    assert [category.name for category in found][-2:] == ["apple", "zebra"]


def test_without_a_list_each_phrase_names_its_own() -> None:
    naming = Naming()
    assert naming("two red apples") == naming("an apple") == "apple" and naming.is_mapped("an apple")
    assert [category.id for category in naming.categories(["dog", "apple"])] == [1, 2]
