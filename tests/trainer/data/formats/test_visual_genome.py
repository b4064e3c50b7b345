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
        ("its photograph is not there", 1, (f"{file}: entry 1 ({folders[-1]}/2.jpg)",)),
        ("no regions", 1, (f"{file}: entry 2",)),
        ("no text", 1, (f"{file}: region 13",)),
    ]


def test_wordings_with_a_placeholder_for_the_region_get_the_box_as_well(tmp_path: Path) -> None:
    form = open_format("visual-genome")
    records = list(form.read(_made(tmp_path, "images"), PUBLIC, Skipped()))
    assert told(records[0])[0] == PUBLIC[Task.REGION][0].replace(REGION, "[25, 25, 75, 75]")


INSIDE, WHOLE = "[25, 25, 75, 75]", "[0, 0, 100, 100]"


@pytest.mark.parametrize(
    ("corners", "said"),
    [
        ((5, 3, 10, 6), INSIDE),
        ((5.0, 3.0, 10.0, 6.0), INSIDE),
        ((-5, -3, 500, 600), WHOLE),
        ((18, 0, 10, 12), "[90, 0, 100, 100]"),
        ((5, -904, 10, 6), "a box without area inside the photograph"),
        ((20, 0, 5, 5), "a box without area inside the photograph"),
        ((5, 3, 0, 6), "a box without area inside the photograph"),
        ((5, 3, -5, 6), "a box without area inside the photograph"),
        ((5, 3, float("nan"), 6), "a box that is not four numbers"),
        ((5, 3, float("inf"), 6), "a box that is not four numbers"),
        ((10**400, 3, 5, 6), "a box that is not four numbers"),
        ((1e308, 3, 1e308, 6), "a box that is not four numbers"),
        ((-1e308, 3, 5, 6), "a box without area inside the photograph"),
        ((1e308, 3, 5, 6), "a box without area inside the photograph"),
        ((5, None, 10, 6), "a box that is not four numbers"),
        (("5", 3, 10, 6), "a box that is not four numbers"),
        ((True, 3, 10, 6), "a box that is not four numbers"),
    ],
)
def test_boxes_are_clipped_or_counted(tmp_path: Path, corners: tuple[object, ...], said: str) -> None:
    _made(tmp_path, "images")
    place = dict(zip(("x", "y", "width", "height"), corners, strict=True))
    regions = [{"region_id": 1, "image_id": 1, "phrase": "it", **place}]
    write(tmp_path / "region_descriptions.json", [{"id": "1", "regions": regions}])
    records, skipped = read("visual-genome", tmp_path)
    if said.startswith("["):
        assert [told(record)[0] for record in records] == [FAMILIES[Task.REGION][0].format(box=said)]
    else:
        assert not records
        assert skipped.reasons() == [(said, 1, ("region_descriptions.json: region 1",))]


def test_entries_that_are_none_are_noted_and_the_others_used(tmp_path: Path) -> None:
    _made(tmp_path, "images")
    region = {"region_id": 1, "image_id": 1.0, "phrase": "it", "x": 0, "y": 0, "width": 9, "height": 9}
    write(
        tmp_path / "region_descriptions.json", [3, {"id": 1}, {"id": [1], "regions": [region]}, {"regions": [region]}]
    )
    records, skipped = read("visual-genome", tmp_path)
    assert len(records) == 1
    assert {reason: len(where) for reason, _, where in skipped.reasons()} == {
        "no list 'regions'": 2,
        "its image is not in image_data.json": 1,
    }


def test_a_file_that_is_not_of_the_format_is_named(tmp_path: Path) -> None:
    _made(tmp_path, "images")
    write(tmp_path / "image_data.json", [{"image_id": 1}])
    records, skipped = read("visual-genome", tmp_path)
    assert not records
    assert ("no 'url'", 1, ("image_data.json: entry 0",)) in skipped.reasons()
    write(tmp_path / "image_data.json", {"image_id": 1})
    with pytest.raises(UsageError, match=r"image_data.json: a list was expected, not dict"):
        read("visual-genome", tmp_path)
