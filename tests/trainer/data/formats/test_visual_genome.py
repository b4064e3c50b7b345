from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.text.prompts import FAMILIES, PUBLIC, REGION, Task
from tests.trainer.data.formats.made import HEIGHT, WIDTH, photograph, read, told, write
from trainer.data.formats import open_format
from trainer.data.formats.base import Skipped


def _made(root: Path, *folders: str) -> Path:
    def region(number: int, x: int, y: int, width: int, height: int, phrase: str) -> dict[str, object]:
        place = {"x": x, "y": y, "width": width, "height": height}
        return {"region_id": number, "image_id": 1, "phrase": phrase, "synsets": [], **place}

    write(
        root / "region_descriptions.json",
        [
            {
                "id": 1,
                "regions": [
                    region(10, 5, 3, 10, 6, "the clock is green "),
                    region(11, -2, 0, 30, 30, "shade"),
                    region(12, 20, 0, 5, 5, "beyond the edge"),
                    region(13, 0, 0, 5, 5, ""),
                ],
            },
            {"id": 2, "regions": [region(20, 0, 0, 5, 5, "a lamp")]},
            {"id": 3, "regions": []},
            {"id": 4, "regions": [region(40, 0, 0, 5, 5, "a lamp")]},
        ],
    )
    address = "https://cs.stanford.edu/people/rak248/VG_100K_2"
    write(
        root / "image_data.json",
        [
            {"image_id": n, "url": f"{address}/{n}.jpg", "width": WIDTH, "height": HEIGHT, "coco_id": None}
            for n in (1, 2, 3)
        ],
    )
    for folder in folders:
        (root / folder).mkdir()
    photograph(root / folders[-1] / "1.jpg")
    return root


@pytest.mark.parametrize("folders", [("VG_100K", "VG_100K_2"), ("images",)])
def test_regions_are_asked_for_by_their_boxes(tmp_path: Path, folders: tuple[str, ...]) -> None:
    records, skipped = read("visual-genome", _made(tmp_path, *folders))
    assert {(record.image, record.task) for record in records} == {(f"{folders[-1]}/1.jpg", Task.REGION)}
    assert [told(record) for record in records] == [
        (FAMILIES[Task.REGION][0].format(box="[25, 25, 75, 75]"), "the clock is green"),
        # What lies outside the photograph is cut off.
        (FAMILIES[Task.REGION][1].format(box="[0, 0, 100, 100]"), "shade"),
    ]
    file = "region_descriptions.json"
    assert sorted(skipped.reasons()) == [
        ("a box without area inside the photograph", 1, (f"{file}: region 12",)),
        ("its image is not in image_data.json", 1, (f"{file}: entry 3",)),
        ("its photograph is missing or broken", 1, (f"{file}: entry 1",)),
        ("no regions", 1, (f"{file}: entry 2",)),
        ("no text", 1, (f"{file}: region 13",)),
    ]


def test_wordings_with_a_placeholder_for_the_region_get_the_box_as_well(tmp_path: Path) -> None:
    form = open_format("visual-genome")
    records = list(form.read(_made(tmp_path, "images"), PUBLIC, Skipped()))
    assert told(records[0])[0] == PUBLIC[Task.REGION][0].replace(REGION, "[25, 25, 75, 75]")


def test_a_file_that_is_not_of_the_format_is_named(tmp_path: Path) -> None:
    _made(tmp_path, "images")
    write(tmp_path / "image_data.json", [{"image_id": 1}])
    with pytest.raises(UsageError, match=r"image_data.json: entry 0: not image_id"):
        read("visual-genome", tmp_path)
