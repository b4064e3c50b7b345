from __future__ import annotations

from pathlib import Path

import pytest

from engine.decoding.sequence import Turn
from engine.errors import UsageError
from engine.text.prompts import FAMILIES, Task
from tests.trainer.data.formats.made import HEIGHT, WIDTH, photograph, polygon, read, told, write

REGIONS = [
    {"bbox": [5, 3, 10, 6], "segmentation": [polygon(3, 5, 9, 15)]},
    {"bbox": [0, 0, 4, 3], "segmentation": [polygon(0, 0, 3, 4)]},
]


def _entry(name: str = "000000000007.jpg", **content: object) -> dict[str, object]:
    return {"id": 1, "file_name": name, "height": HEIGHT, "width": WIDTH, "annotation": REGIONS, **content}


def _talk(*texts: str) -> list[dict[str, str]]:
    return [{"from": "gpt" if n % 2 else "human", "value": text} for n, text in enumerate(texts)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    photograph(tmp_path / "train2017" / "000000000007.jpg")
    return tmp_path


def test_descriptions_of_regions(root: Path) -> None:
    write(
        root / "osprey_detail_description.json",
        [
            _entry(
                "COCO_train2014_000000000007.jpg", description=["<region1>: A dog.", "<region2>: Left of <region1>."]
            ),
            _entry(description=["<region1>: A dog."]),
            _entry("000000000008.jpg", description=["<region1>: A dog.", "<region2>: A cat."]),
            {"file_name": "000000000007.jpg"},
        ],
    )
    records, skipped = read("osprey", root)
    assert {(record.image, record.task) for record in records} == {("train2017/000000000007.jpg", Task.REGION)}
    wordings = FAMILIES[Task.REGION]
    assert [told(record) for record in records] == [
        (wordings[0].format(box="[25, 25, 75, 75]"), "A dog."),
        (wordings[1].format(box="[0, 0, 20, 25]"), "Left of region1."),
    ]
    file = "osprey_detail_description.json"
    assert sorted(skipped.reasons()) == [
        ("its photograph is not there", 1, (f"{file}: entry 2 (train2017/000000000008.jpg)",)),
        ("not a description for each region", 1, (f"{file}: entry 1",)),
        ("not a file name, a size, regions and texts", 1, (f"{file}: entry 3",)),
    ]


def test_talks_say_first_where_the_regions_are(root: Path) -> None:
    talk = _talk("What is <region1>?", "A dog, left of <region2>.", "Does <region2> bark?", "No.")
    write(
        root / "osprey_conversation.json",
        [
            _entry(conversations=talk),
            _entry(conversations=_talk("What is <region3>?", "Nothing.")),
            _entry(conversations=[]),
            _entry(conversations=talk, annotation=[{"bbox": [5, 3, 0, 0]}]),
        ],
    )
    write(root / "osprey_short_form.json", [_entry(conversations=_talk("What is <region1>?", "Dog."))])
    records, skipped = read("osprey", root)
    where = "Given region1 [25, 25, 75, 75], region2 [0, 0, 20, 25]."
    assert {record.task for record in records} == {Task.CONVERSATION}
    assert [record.turns for record in records] == [
        (
            Turn(f"{where} What is region1?", "A dog, left of region2."),
            Turn("Does region2 bark?", "No."),
        ),
        (Turn(f"{where} What is region1? Answer in a word or a phrase.", "Dog."),),
    ]
    file = "osprey_conversation.json"
    assert sorted(skipped.reasons()) == [
        ("a box without area inside the photograph", 1, (f"{file}: entry 3",)),
        ("a region that is named but not given", 1, (f"{file}: entry 1",)),
        ("questions and answers are not in pairs", 1, (f"{file}: entry 2",)),
    ]


def test_a_folder_of_something_else_is_an_error(root: Path) -> None:
    with pytest.raises(UsageError, match="none of osprey_detail_description.json"):
        read("osprey", root)
