"""Photographs are found under the names that other systems have given them, and nothing outside is looked at."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.trainer.data.formats.made import photograph
from trainer.data.formats.base import Skipped
from trainer.data.formats.photographs import Names, Photograph, Photographs

COMPOSED = "Stra\u00dfe_M\u00fcller.jpg"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)
UNKNOWN = (None, None)


def find(root: Path, name: Any, *, folder: str = "images", size: Any = UNKNOWN, drawn: bool = True) -> Any:
    """What is found, and what is noted."""
    skipped = Skipped()
    found = Photographs(root, skipped).find(folder, name, "entry 1", size=size, drawn=drawn)
    return found, skipped


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ("a.jpg", "a.jpg"),
        ("a.jpg", "./a.jpg"),
        ("sub/a.jpg", "sub/a.jpg"),
        ("sub/a.jpg", "sub\\a.jpg"),
        ("sub/a.jpg", "other/../sub//a.jpg"),
        ("a.jpg", "../images/a.jpg"),
        ("a.jpg", "..\\images\\a.jpg"),
        ("a.jpg", "images/a.jpg"),
        ("a.jpg", "images\\a.jpg"),
        ("caf\u00e9 1+1.jpg", "caf%C3%A9%201%2B1.jpg"),
        ("sub/a b.jpg", "sub%5Ca%20b.jpg"),
        ("100%.jpg", "100%.jpg"),
        ("a%20b.jpg", "a%20b.jpg"),
        ("odd\\name.jpg", "odd\\name.jpg"),
        (DECOMPOSED, COMPOSED),
        (COMPOSED, DECOMPOSED),
        ("a.JPG", "a.jpg"),
        ("SUB/a.jpg", "sub/A.jpg"),
        ("sub/" + DECOMPOSED, "SUB\\" + COMPOSED),
    ],
)
def test_a_name_that_can_only_mean_one_file_is_found(tmp_path: Path, stored: str, said: str) -> None:
    photograph(tmp_path / "images" / stored, 6, 10)
    found, skipped = find(tmp_path, said)
    assert found == Photograph(f"images/{stored}", 6, 10)
    assert not skipped.total and not skipped.remarks()


def test_an_absolute_name_below_the_root_is_found(tmp_path: Path) -> None:
    photograph(tmp_path / "images/a.jpg", 6, 10)
    found, _ = find(tmp_path, str(tmp_path / "images/a.jpg"))
    assert found == Photograph("images/a.jpg", 6, 10)


def test_a_name_that_is_no_utf_8_is_found(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    photograph(tmp_path / "images" / name, 6, 10)
    for said in ("caf%E9.jpg", "caf\\xE9.jpg"):  # the second is how this program writes it
        assert find(tmp_path, said)[0] == Photograph(f"images/{name}", 6, 10)


@pytest.mark.parametrize(
    ("said", "reason", "shown"),
    [
        ("b.jpg", "its photograph is not there", "images/b.jpg"),
        ("sub/a.jpg", "its photograph is not there", "images/sub/a.jpg"),
        ("../../media/a.jpg", "a file name that leads out of the data set", "images/../../media/a.jpg"),
        ("/etc/passwd", "a file name that leads out of the data set", "/etc/passwd"),
        ("..", "a file name that leads out of the data set", "images/.."),
        ("../..", "a file name that leads out of the data set", "images/../.."),
        ("https://example.org/images/a.jpg", "a file name that is an address", "https://example.org/images/a.jpg"),
        ("a\0.jpg", "a file name that no file can have", "images/a\0.jpg"),
        ("half \ud83c.jpg", "its photograph is not there", "images/half \\ud83c.jpg"),
        ("n" * 5000, "its photograph is not there", "images/" + "n" * 200),
        ("", "no file name", "images/"),
        (" ", "no file name", "images/ "),
        (None, "no file name", "file name: None"),
        (7, "no file name", "file name: 7"),
        ({"path": "a.jpg"}, "no file name", "file name: {'path': 'a.jpg'}"),
    ],
)
def test_what_is_not_found_is_noted_with_the_very_name(tmp_path: Path, said: Any, reason: str, shown: str) -> None:
    photograph(tmp_path / "set/images/a.jpg")
    photograph(tmp_path / "media/a.jpg")
    found, skipped = find(tmp_path / "set", said)
    assert found is None
    assert skipped.reasons() == [(reason, 1, (f"entry 1 ({shown})",))]


def test_two_files_that_are_alike_are_not_guessed_between(tmp_path: Path) -> None:
    for name in ("a.jpg", "A.jpg"):
        photograph(tmp_path / "images" / name)
    assert find(tmp_path, "a.jpg")[0].path == "images/a.jpg"
    found, skipped = find(tmp_path, "a.JPG")
    assert found is None and skipped.reasons()[0][0] == "its photograph is not there"


def test_a_file_beside_the_folder_is_not_taken(tmp_path: Path) -> None:
    photograph(tmp_path / "a.jpg")
    (tmp_path / "images").mkdir()
    assert find(tmp_path, "a.jpg")[0] is None
    assert find(tmp_path, "a.jpg", folder="")[0].path == "a.jpg"


def test_a_photograph_that_is_none_is_noted_with_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.jpg").write_bytes(b"")
    os.mkfifo(tmp_path / "images/pipe.jpg")
    for name, why in (("a.jpg", "the file is empty"), ("pipe.jpg", "not a regular file")):
        found, skipped = find(tmp_path, name)
        assert found is None
        assert skipped.reasons() == [("its photograph can't be read", 1, (f"entry 1 (images/{name}: {why})",))]


def test_a_size_that_the_annotation_does_not_say_is_that_of_the_photograph(tmp_path: Path) -> None:
    photograph(tmp_path / "images/a.jpg", 6, 10)
    for size in (UNKNOWN, (6, 10), (6, None), (None, 10)):
        assert find(tmp_path, "a.jpg", size=size)[0] == Photograph("images/a.jpg", 6, 10)
    for size in ((7, 10), (6, 11), (None, 6)):
        found, skipped = find(tmp_path, "a.jpg", size=size)
        assert found is None
        assert skipped.reasons() == [
            ("its photograph has another size than its annotation says", 1, ("entry 1 (images/a.jpg)",))
        ]
    _, skipped = find(tmp_path, "a.jpg", size=(10, 6))
    assert skipped.reasons()[0][0].startswith("its photograph is turned against its annotation")


def turned(path: Path, orientation: int, width: int, height: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (width, height)).save(path, exif=exif)


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_an_annotation_of_the_stored_pixels_is_noted_as_turned(tmp_path: Path, kind: str, orientation: int) -> None:
    turned(tmp_path / f"images/a.{kind}", orientation, 10, 6)
    found, skipped = find(tmp_path, f"a.{kind}", size=(10, 6))
    assert found == Photograph(f"images/a.{kind}", 10, 6)  # upright
    assert not skipped.total and not skipped.remarks()
    found, skipped = find(tmp_path, f"a.{kind}", size=(6, 10))
    assert found is None
    ((reason, _, where),) = skipped.reasons()
    assert "turned by its EXIF orientation" in reason and where == (f"entry 1 (images/a.{kind})",)
    # Words are about the photograph however it lies.
    assert find(tmp_path, f"a.{kind}", size=(6, 10), drawn=False)[0] == Photograph(f"images/a.{kind}", 10, 6)


@pytest.mark.parametrize(
    ("orientation", "size", "annotated"),
    [(3, (10, 6), (6, 10)), (2, (10, 6), (6, 10)), (4, (10, 6), (6, 10)), (6, (8, 8), (8, 8)), (6, (10, 6), UNKNOWN)],
)
def test_where_the_size_does_not_tell_it_is_used_and_remarked_once(
    tmp_path: Path, orientation: int, size: tuple[int, int], annotated: Any
) -> None:
    for name in ("a.jpg", "b.jpg"):
        turned(tmp_path / "images" / name, orientation, *size)
    skipped = Skipped()
    photographs = Photographs(tmp_path, skipped)
    for name in ("a.jpg", "b.jpg", "a.jpg"):
        assert photographs.find("images", name, "entry", size=annotated) is not None
    ((remark, count, where),) = skipped.remarks()
    assert "EXIF orientation" in remark and "assumed" in remark
    assert (count, where) == (2, ("images/a.jpg", "images/b.jpg"))
    assert not skipped.total
    _, skipped = find(tmp_path, "a.jpg", size=annotated, drawn=False)
    assert not skipped.remarks()


def test_other_files_are_found_in_the_same_way(tmp_path: Path) -> None:
    photograph(tmp_path / "labels/A.png")
    assert Names(tmp_path).find("labels", "a.png") == "labels/A.png"
    with pytest.raises(ValueError, match="the picture of labels is not there"):
        Names(tmp_path).find("labels", "b.png", "the picture of labels")
