"""Pictures of class numbers: made-up ones, and the real sets where they are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.errors import UsageError
from engine.text.prompts import Task
from tests.trainer.data.formats.made import box, photograph, read, same, told

SKY, ROAD, CAR = box(0, 0, 6, 20), box(6, 0, 12, 20) & ~box(8, 4, 10, 8), box(8, 4, 10, 8)
STREET = np.select([SKY, CAR, ROAD], [0, 2, 1]).astype(np.uint8)


def put(root: Path, name: str, index: np.ndarray, classes: str = "sky\nroad\ntraffic light\nunlabelled\n") -> None:
    (root / "labels").mkdir(parents=True, exist_ok=True)
    (root / "classes.txt").write_text(classes, encoding="utf-8")
    Image.fromarray(index).save(root / "labels" / f"{name}.png")
    photograph(root / "images" / f"{name}.jpg", *index.shape[:2])


def test_the_class_list_and_each_class_by_name(tmp_path: Path) -> None:
    put(tmp_path, "a", STREET)
    records, skipped = read("index-png", tmp_path)
    assert [(record.task, *told(record)) for record in records] == [
        (
            Task.SEMANTIC,
            "Segment all classes in the image.",
            "<p> sky </p> [SEG], <p> road </p> [SEG], <p> traffic light </p> [SEG]",
        ),
        (Task.REFERRING, "Segment sky.", "<p> sky </p> [SEG]"),
        (Task.REFERRING, "Please segment road in the image.", "<p> road </p> [SEG]"),
        (Task.REFERRING, "Where is traffic light? Answer with a mask.", "<p> traffic light </p> [SEG]"),
    ]
    assert same(records[0], SKY, ROAD, CAR) and same(records[1], SKY) and same(records[3], CAR)
    assert {(record.image, record.height, record.width) for record in records} == {("images/a.jpg", 12, 20)}
    assert {record.source for record in records} == {"labels/a.png"}
    assert skipped.total == 0


def test_what_is_not_there_is_denied_and_what_says_nothing_is_not_named(tmp_path: Path) -> None:
    put(tmp_path, "a", STREET)
    other = np.full((12, 20), 3, np.uint8)  # unlabelled
    other[6:] = 1
    other[0] = 255
    put(tmp_path, "b", other)
    records, skipped = read("index-png", tmp_path)
    assert [told(record) for record in records if record.image == "images/b.jpg"] == [
        ("Give a semantic segmentation of the image.", "<p> road </p> [SEG]"),
        ("Segment road.", "<p> road </p> [SEG]"),
        ("Please segment sky in the image.", "Sorry, I don't see any sky in this image."),
    ]
    assert skipped.total == 0


def test_a_trace_is_neither_named_nor_denied(tmp_path: Path) -> None:
    sky = np.zeros((60, 60), np.uint8)
    trace = np.ones((60, 60), np.uint8)
    trace[0, 0] = 0
    put(tmp_path, "a", sky)
    put(tmp_path, "b", trace)
    records, _ = read("index-png", tmp_path)
    assert [told(record)[1] for record in records if record.image == "images/b.jpg"] == ["<p> road </p> [SEG]"] * 2


def test_a_palette_is_read_as_numbers(tmp_path: Path) -> None:
    put(tmp_path, "a", STREET)
    picture = Image.fromarray(STREET, mode="P")
    picture.putpalette([200, 10, 10, 10, 200, 10, 10, 10, 200])
    picture.save(tmp_path / "labels" / "a.png")
    records, _ = read("index-png", tmp_path)
    assert same(records[0], SKY, ROAD, CAR)


def test_the_list_of_classes_may_lie_above(tmp_path: Path) -> None:
    put(tmp_path / "train", "a", STREET)
    (tmp_path / "train" / "classes.txt").rename(tmp_path / "classes.txt")
    records, _ = read("index-png", tmp_path / "train")
    assert len(records) == 4
    (tmp_path / "classes.txt").unlink()
    with pytest.raises(UsageError, match=r"classes\.txt: no such file"):
        read("index-png", tmp_path / "train")


def test_photographs_that_can_not_be_used_are_named(tmp_path: Path) -> None:
    put(tmp_path, "strange", np.full((12, 20), 9, np.uint8))
    put(tmp_path, "blank", np.full((12, 20), 3, np.uint8))
    put(tmp_path, "colours", np.full((12, 20, 3), (1, 1, 0), np.uint8))
    put(tmp_path, "size", STREET)
    photograph(tmp_path / "images" / "size.jpg", 20, 12)
    put(tmp_path, "broken", STREET)
    (tmp_path / "labels" / "broken.png").write_bytes(b"no picture")
    photograph(tmp_path / "images" / "alone.jpg")
    put(tmp_path, "gone", STREET)
    (tmp_path / "images" / "gone.jpg").unlink()
    records, skipped = read("index-png", tmp_path)
    assert not records
    assert {reason.partition(": not a JPEG")[0]: where for reason, _, (where,) in skipped.reasons()} == {
        "a value that has no class": "labels/strange.png",
        "no class in it": "labels/blank.png",
        "a picture of labels with more than one number per pixel": "labels/colours.png",
        "its photograph is turned against its annotation: the width of one is the height of the other": (
            "labels/size.png (images/size.jpg)"
        ),
        "a picture of labels that can't be read": "labels/broken.png",
        "the picture of labels is not there": "labels/alone.png",
        "no photograph of this name": "labels/gone.png",
    }


def test_classes_of_one_name_are_one(tmp_path: Path) -> None:
    other = np.full((12, 20), 1, np.uint8)
    for name, index in (("a", STREET), ("b", np.where(STREET == 0, 2, STREET).astype(np.uint8)), ("c", other)):
        put(tmp_path, name, index, "sky\nroad\nSky\nunlabelled\n")
    records, skipped = read("index-png", tmp_path)
    lists = [record for record in records if record.task is Task.SEMANTIC]
    assert [told(record)[1] for record in lists] == ["<p> sky </p> [SEG], <p> road </p> [SEG]"] * 2 + [
        "<p> road </p> [SEG]"
    ]
    assert same(lists[0], SKY | CAR, ROAD) and same(lists[1], SKY | CAR, ROAD)
    denied = [record for record in records if not record.masks]
    assert denied and {record.image for record in denied} == {"images/c.jpg"}
    assert skipped.total == 0


def test_labels_of_turned_photographs(tmp_path: Path) -> None:
    exif = Image.Exif()
    for name, orientation, own in (("stored", 6, 1), ("both", 6, 6), ("half", 3, 1), ("own", 1, 3)):
        put(tmp_path, name, STREET)
        exif[0x0112] = orientation
        Image.new("RGB", (20, 12)).save(tmp_path / f"images/{name}.jpg", exif=exif)
        exif[0x0112] = own
        Image.fromarray(STREET).save(tmp_path / f"labels/{name}.png", exif=exif)
    records, skipped = read("index-png", tmp_path)
    lists = {record.image: record for record in records if record.task is Task.SEMANTIC}
    # Turned as their photograph, they fit.
    turned = [np.ascontiguousarray(np.rot90(mask, -1)) for mask in (SKY, ROAD, CAR)]
    assert same(lists["images/both.jpg"], *turned)
    assert same(lists["images/half.jpg"], SKY, ROAD, CAR)
    assert same(lists["images/own.jpg"], *(mask[::-1, ::-1] for mask in (SKY, ROAD, CAR)))
    ((reason, _, where),) = skipped.reasons()
    assert "turned by its EXIF orientation" in reason and where == ("labels/stored.png (images/stored.jpg)",)
    remarks = {remark.partition(":")[0]: where for remark, _, where in skipped.remarks()}
    assert remarks == {
        "a picture of labels with an EXIF orientation": ("labels/both.png", "labels/own.png"),
        "a photograph with an EXIF orientation": ("images/half.jpg",),
    }


def test_names_in_another_form_of_unicode(tmp_path: Path) -> None:
    put(tmp_path, "x", STREET)
    composed, decomposed = "M\u00fcller", "Mu\u0308ller"
    (tmp_path / "images/x.jpg").rename(tmp_path / f"images/{composed}.jpg")
    (tmp_path / "labels/x.png").rename(tmp_path / f"labels/{decomposed}.PNG")
    records, skipped = read("index-png", tmp_path)
    assert records[0].image == f"images/{composed}.jpg" and skipped.total == 0


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_the_list_of_classes_may_come_from_windows(tmp_path: Path, encoding: str) -> None:
    put(tmp_path, "a", STREET)
    (tmp_path / "classes.txt").write_bytes("sky\r\nroad\r\nt\u00e9l\u00e9\r\nunlabelled\r\n".encode(encoding))
    records, _ = read("index-png", tmp_path)
    assert told(records[0])[1] == "<p> sky </p> [SEG], <p> road </p> [SEG], <p> t\u00e9l\u00e9 </p> [SEG]"


def test_missing_folders_are_one_clear_line(tmp_path: Path) -> None:
    put(tmp_path, "a", STREET)
    (tmp_path / "images" / "a.jpg").unlink()
    with pytest.raises(UsageError, match=r"images: no photograph in it"):
        read("index-png", tmp_path)
    (tmp_path / "images").rmdir()
    with pytest.raises(UsageError, match=r"images: no such folder"):
        read("index-png", tmp_path)
    (tmp_path / "classes.txt").write_text("\n")
    with pytest.raises(UsageError, match=r"classes\.txt: it is empty"):
        read("index-png", tmp_path)


def test_real_clothes_and_streets(data_root: Path) -> None:
    records, skipped = read("index-png", data_root / "ccp" / "val")
    assert skipped.total == 0
    assert Counter(record.task for record in records)[Task.SEMANTIC] == 54
    assert not any("null" in told(record)[1] for record in records)
    denied = sum(not record.masks for record in records)
    assert 0.3 < denied / sum(record.task == Task.REFERRING for record in records) < 0.5
    records, skipped = read("index-png", data_root / "camvid" / "val")
    assert skipped.total == 0
    assert Counter(record.task for record in records)[Task.SEMANTIC] == 101
    assert any("sky" in told(record)[1] for record in records)  # value 0 is a class here
    assert not any("unlabelled" in told(record)[1] for record in records)
