"""MUSE, in a fixture of its real layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import UsageError
from engine.text.prompts import Task
from tests.trainer.data.formats.made import (
    HEIGHT,
    TAGGED,
    WIDTH,
    box,
    noted,
    photograph,
    polygon,
    read,
    rle,
    same,
    told,
    write,
)

MISCOUNTED = "an answer whose {seg} count is not its mask count"

LADDER, CUP, LEFT, RIGHT = box(0, 0, 10, 3), box(5, 5, 8, 8), box(2, 9, 4, 12), box(2, 14, 4, 18)


def target(category: str, outline: Any, rephrased: str | None = None) -> dict[str, Any]:
    found = {"category_name": category, "category_id": 1, "bbox": [0, 0, 2, 2], "segmentation": outline}
    return found if rephrased is None else found | {"rephrased_name": rephrased}


LADDER_TARGET = target("ladder", [polygon(0, 0, 10, 3)], "a tall ladder.")
CUP_TARGET = target("coffee_cup_(mug)", [polygon(5, 5, 8, 8)])
CHAIRS = [target("chair", {"size": [HEIGHT, WIDTH], "counts": rle(mask)["counts"]}) for mask in (RIGHT, LEFT)]


def entry(*pairs: tuple[str, list[Any], str | None], **changes: Any) -> dict[str, Any]:
    found = {
        "file_name": "COCO_train2014_1.jpg",
        "height": HEIGHT,
        "width": WIDTH,
        "ann_list": [LADDER_TARGET],
        "questions": [question for question, _, _ in pairs],
        "answers": [answer for _, answer, _ in pairs],
        "text_answers": [text for _, _, text in pairs],
    }
    return {key: value for key, value in (found | changes).items() if value is not None}


ASKED = ("How do I reach it?", [LADDER_TARGET], "Climb the ladder {seg}.")


def make(root: Path, *entries: Any, file: str = "MUSE_train.json") -> None:
    write(root / file, list(entries))
    photograph(root / "train2014/COCO_train2014_1.jpg")


def test_a_text_answer_gets_its_masks_behind_the_names(tmp_path: Path) -> None:
    text = "Climb the ladder {{seg}}, then drink from the coffee_cup ({seg}) on the chairs {seg} and {seg}.</s>"
    make(tmp_path, entry(("What next?", [LADDER_TARGET, CUP_TARGET, *CHAIRS], text)))
    (record,), skipped = read("muse", tmp_path)
    assert (record.image, record.height, record.width) == ("train2014/COCO_train2014_1.jpg", HEIGHT, WIDTH)
    assert record.task is Task.REASONING
    assert told(record) == (
        "What next? Explain with masks.",
        "Climb the <p> ladder </p> [SEG], then drink from the <p> coffee cup </p> [SEG] on the "
        "<p> chairs </p> [SEG] [SEG].",
    )
    # As the text has them, not from left to right.
    assert same(record, LADDER, CUP, RIGHT, LEFT)
    assert record.source == "MUSE_train.json: entry 0: question 0"
    assert not skipped.total


@pytest.mark.parametrize("texts", [None, [None]])
def test_without_a_text_the_answer_lists_the_names(tmp_path: Path, texts: Any) -> None:
    make(
        tmp_path, entry(("What is here?", [CHAIRS[0], LADDER_TARGET, CHAIRS[1], CUP_TARGET], None), text_answers=texts)
    )
    (record,), _ = read("muse", tmp_path)
    assert told(record)[1] == (
        "<p> chair </p> [SEG] [SEG], <p> a tall ladder </p> [SEG] and <p> coffee cup </p> [SEG]."
    )
    assert same(record, LEFT, RIGHT, LADDER, CUP)


@pytest.mark.parametrize("folder", ["train2017", "val2017"])
def test_photographs_of_2017_are_named_by_their_address(tmp_path: Path, folder: str) -> None:
    url = f"http://images.cocodataset.org/{folder}/000000000001.jpg"
    make(tmp_path, entry(ASKED, file_name=None, coco_url=url), file="muse_train.json")
    photograph(tmp_path / folder / "000000000001.jpg")
    (record,), _ = read("muse", tmp_path)
    assert record.image == f"{folder}/000000000001.jpg"


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (("Who?", [LADDER_TARGET], "It {seg}."), "a {seg} whose object is not named before it"),
        (("Who?", [LADDER_TARGET], "The ladder by the wall {seg}."), "a {seg} whose object is not named before it"),
        (("Who?", [LADDER_TARGET, CUP_TARGET], "The ladder {seg}."), MISCOUNTED),
        (("Who?", [LADDER_TARGET, CUP_TARGET], "The ladder {seg} {seg}."), "several kinds of objects behind one name"),
        (("What is at [12, 5, 30, 40]?", [LADDER_TARGET], None), "a question with coordinates"),
        (("Who?", [], None), "a question without an answer"),
        (("Who?", [target("ladder", [])], None), "no polygon"),
        (("Who?", [target("", [polygon(0, 0, 9, 9)])], None), "an object without a name"),
        (("Who?", ["ladder"], None), "an entry that is not an object"),
        (("Who [SEG]?", [LADDER_TARGET], "[SEG] ladder {seg}"), TAGGED),
    ],
)  # fmt: skip
def test_a_question_that_cannot_be_used_is_named_and_the_others_stay(
    tmp_path: Path, pair: tuple[str, list[Any], str | None], reason: str
) -> None:
    make(tmp_path, entry(pair, ASKED))
    (record,), skipped = read("muse", tmp_path)
    assert told(record)[1] == "Climb the <p> ladder </p> [SEG]."
    assert skipped.reasons() == [(reason, 1, ("MUSE_train.json: entry 0: question 0",))]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (entry(ASKED, questions=None), "no 'questions'"),
        (entry(ASKED, height="12.5"), "'height' that is not a whole number"),
        (entry(ASKED, height=HEIGHT + 1), "its photograph has another size than its annotation says"),
        (entry(ASKED, file_name="gone.jpg"), "its photograph is not there"),
        (entry(ASKED, file_name=None), "no 'coco_url'"),
        (entry(ASKED, text_answers=7), "'text_answers' that is not list"),
    ],
)
def test_an_entry_that_cannot_be_used_is_named(tmp_path: Path, broken: Any, reason: str) -> None:
    make(tmp_path, broken, entry(ASKED))
    records, skipped = read("muse", tmp_path)
    assert [record.source for record in records] == ["MUSE_train.json: entry 1: question 0"]
    assert noted(skipped) == [(reason, 1, ("MUSE_train.json: entry 0",))]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no MUSE_train\.json or muse_train\.json in it"):
        read("muse", tmp_path)
    write(tmp_path / "MUSE_train.json", {})
    with pytest.raises(UsageError, match="a list was expected"):
        read("muse", tmp_path)
