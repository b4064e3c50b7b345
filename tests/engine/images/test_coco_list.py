"""A COCO JSON as a list of photographs: what can't be used of it is told, the others are taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.errors import UsageError
from engine.images.coco_list import CocoList, is_coco_list, read_coco_list
from engine.images.sources import find_sources


def listed(tmp_path: Path, *images: Any, licenses: Any = None) -> CocoList:
    (tmp_path / "sub").mkdir(exist_ok=True)
    for name in ("a.jpg", "b.jpg", "sub/c.jpg"):
        (tmp_path / name).touch()
    path = tmp_path / "photos.json"
    path.write_text(json.dumps({"images": images} | ({} if licenses is None else {"licenses": licenses})))
    return read_coco_list(str(path))


def image(number: Any, name: str = "a.jpg", **others: Any) -> dict[str, Any]:
    return {"id": number, "file_name": name, **others}


A, B, C = image(7), image(3, "b.jpg", coco_url="http://x/b.jpg"), image(9, "sub/c.jpg")


def test_what_it_says_of_images_and_licences_is_kept(tmp_path: Path) -> None:
    found = listed(tmp_path, A, B, C, licenses=[{"id": 1, "name": "CC"}])
    assert found.images == (A, B, C) and found.licenses == ({"id": 1, "name": "CC"},) and not found.faults
    sources = find_sources([found.path], None)
    assert sources.listed == found
    assert [(source.file_name, source.path, source.image) for source in sources] == [
        ("a.jpg", tmp_path / "a.jpg", A),
        ("b.jpg", tmp_path / "b.jpg", B),
        ("sub/c.jpg", tmp_path / "sub" / "c.jpg", C),
    ]


def test_text_ids_and_whole_numbers_of_pandas(tmp_path: Path) -> None:
    assert listed(tmp_path, image("x"), image("y", "b.jpg")).images[1]["id"] == "y"
    assert repr(listed(tmp_path, image(7.0)).images[0]["id"]) == "7"


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (image("4", "b.jpg"), "image 3 ('b.jpg', id '4') has an id that is text, where most are a number"),
        (image(7, "b.jpg"), "image 3 ('b.jpg', id 7) has the id of 'a.jpg'"),
        (image(8), "image 3 ('a.jpg', id 8) is the photograph of id 7 as well"),
        (image(None, "b.jpg"), "image 3 ('b.jpg', id None) has no id that is a number or text"),
        (image(True, "b.jpg"), "has no id"),
        (image(1.5, "b.jpg"), "has no id"),
        ({"id": 8}, "image 3 (None, id 8) has no file_name"),
        (image(8, "../b.jpg"), "is not named relative to a folder"),
        (image(8, "/b.jpg"), "is not named relative to a folder"),
        (image(8, "b\0.jpg"), "is not named relative to a folder"),
        (image(8, "\ud800.jpg"), "half characters"),
        ("b.jpg", "image 3 ('b.jpg') is no object"),
        ({"id": 1 << 64, "file_name": "b.jpg"}, "more than 64 bits"),
        ({"id": 2, "file_name": "./a.jpg"}, "is the photograph of id"),
    ],
)
def test_an_image_that_can_not_be_used_is_told_and_the_others_are_taken(tmp_path: Path, entry: Any, why: str) -> None:
    found = listed(tmp_path, A, C, entry)
    assert found.images == (A, C)
    [fault] = found.faults
    assert fault.startswith(f"{tmp_path / 'photos.json'}: image 3 ") and why in fault and "\n" not in fault
    assert fault.endswith(": it is left out")


def test_licences_that_are_none(tmp_path: Path) -> None:
    found = listed(tmp_path, A, licenses="CC")
    assert not found.licenses and "'licenses' is no list" in found.faults[0]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("[]", "no list 'images'"),
        ('{"images": {}}', "no list 'images'"),
        ("{", "not JSON"),
        ('{"images": []}', "none of"),
    ],
)
def test_what_is_no_such_file(tmp_path: Path, content: str, why: str) -> None:
    (tmp_path / "x.JSON").write_text(content)
    assert is_coco_list(str(tmp_path / "x.JSON")) and not is_coco_list(str(tmp_path / "y.json"))
    with pytest.raises(UsageError, match=why):
        find_sources([str(tmp_path / "x.JSON")], None)


def test_where_the_photographs_are(tmp_path: Path) -> None:
    path = listed(tmp_path, A).path
    (tmp_path / "other").mkdir()
    with pytest.raises(UsageError, match=r"a\.jpg, is below .*other: --root says where"):
        find_sources([path], None, root=str(tmp_path / "other"))
    with pytest.raises(UsageError, match="give it alone"):
        find_sources([path, str(tmp_path)], None)
    with pytest.raises(UsageError, match="--root"):
        find_sources([str(tmp_path)], None, root=str(tmp_path))
    with pytest.raises(UsageError, match="output folder"):
        find_sources([path], None, out=tmp_path)
