"""Captions of COCO, Flickr30k and NoCaps."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.text.prompts import FAMILIES, Task
from tests.trainer.data.formats.made import HEIGHT, WIDTH, photograph, read, told, write


def _coco(root: Path, file: str, folder: str) -> None:
    write(
        root / file,
        {
            "info": {"year": 2017},
            "images": [
                {"license": 3, "file_name": "1.jpg", "height": HEIGHT, "width": WIDTH, "id": 1},
                {"license": 3, "file_name": "2.jpg", "height": HEIGHT, "width": WIDTH, "id": 2},
                {"license": 3, "file_name": "3.jpg", "height": HEIGHT, "width": WIDTH, "id": 3},
                {"license": 3, "file_name": "4.jpg", "height": HEIGHT + 1, "width": WIDTH, "id": 4},
            ],
            "annotations": [
                {"image_id": 1, "id": 10, "caption": "A grey  square.\n"},
                {"image_id": 2, "id": 11, "caption": "Nothing to see."},
                {"image_id": 1, "id": 12, "caption": "All is grey."},
                {"image_id": 1, "id": 13, "caption": " "},
                {"image_id": 3, "id": 14, "caption": "A lost picture."},
                {"image_id": 4, "id": 15, "caption": "A cut picture."},
                {"image_id": 1, "id": 16, "caption": "A <p> tag."},
            ],
        },
    )
    for name in ("1.jpg", "2.jpg", "4.jpg"):
        photograph(root / folder / name)


@pytest.mark.parametrize(
    ("name", "file", "folder"),
    [
        ("coco-captions", "annotations/captions_train2017.json", "train2017"),
        ("coco-captions", "captions_val2014.json", "val2014"),
        ("coco-captions", "captions.json", "images"),
        ("nocaps", "nocaps_val_4500_captions.json", "images"),
    ],
)
def test_files_laid_out_like_those_of_coco(tmp_path: Path, name: str, file: str, folder: str) -> None:
    _coco(tmp_path, file, folder)
    records, skipped = read(name, tmp_path)
    assert [(record.image, told(record)[1]) for record in records] == [
        (f"{folder}/1.jpg", "A grey square."),
        (f"{folder}/1.jpg", "All is grey."),
        (f"{folder}/2.jpg", "Nothing to see."),
    ]
    assert {record.task for record in records} == {Task.CAPTION}
    # The wordings of the family come in turn.
    assert [told(record)[0] for record in records] == list(FAMILIES[Task.CAPTION])
    stem = Path(file).name
    assert sorted(skipped.reasons()) == [
        ("its photograph has another size than its annotation says", 1, (f"{stem}: image 4 ({folder}/4.jpg)",)),
        ("its photograph is not there", 1, (f"{stem}: image 3 ({folder}/3.jpg)",)),
        ("no text", 1, (f"{stem}: image 1: 13",)),
        ("text that holds a tag of the prompts or answers", 1, (f"{stem}: image 1: 16",)),
    ]


def test_training_captions_go_before_those_for_validation(tmp_path: Path) -> None:
    _coco(tmp_path, "annotations/captions_val2017.json", "val2017")
    _coco(tmp_path, "annotations/captions_train2017.json", "train2017")
    assert {record.image.partition("/")[0] for record in read("coco-captions", tmp_path)[0]} == {"train2017"}


def test_flickr30k_by_its_splits(tmp_path: Path) -> None:
    def entry(name: str, split: str, *captions: str) -> dict[str, object]:
        sentences = [{"tokens": text.lower().split(), "raw": text, "imgid": 0, "sentid": 0} for text in captions]
        return {"sentids": [0], "imgid": 0, "sentences": sentences, "split": split, "filename": name}

    images = [
        entry("5.jpg", "train", "Two men.", "Some men."),
        entry("6.jpg", "test", "A dog."),
        entry("7.jpg", "train"),
    ]
    write(tmp_path / "dataset_flickr30k.json", {"images": images, "dataset": "flickr30k"})
    for name in ("5.jpg", "6.jpg"):
        photograph(tmp_path / "flickr30k-images" / name)
    records, skipped = read("flickr30k", tmp_path)
    assert [(record.image, told(record)[1]) for record in records] == [
        ("flickr30k-images/5.jpg", "Two men."),
        ("flickr30k-images/5.jpg", "Some men."),
    ]
    assert (records[0].height, records[0].width) == (HEIGHT, WIDTH)
    assert sorted(skipped.reasons()) == [
        ("held out by its split", 1, ("dataset_flickr30k.json: 6.jpg",)),
        ("its photograph is not there", 1, ("dataset_flickr30k.json: 7.jpg (flickr30k-images/7.jpg)",)),
    ]


def test_flickr30k_without_splits(tmp_path: Path) -> None:
    lines = ["5.jpg#0\tTwo men .", "5.jpg#1\tSome men .", "no caption here", "6.jpg#0\tA dog .", ""]
    (tmp_path / "results_20130124.token").write_text("\n".join(lines), encoding="utf-8")
    for name in ("5.jpg", "6.jpg"):
        photograph(tmp_path / "flickr30k-images" / name)
    records, skipped = read("flickr30k", tmp_path)
    assert [(record.image[-5:], told(record)[1]) for record in records] == [
        ("5.jpg", "Two men ."),
        ("5.jpg", "Some men ."),
        ("6.jpg", "A dog ."),
    ]
    assert skipped.reasons() == [
        ("not a name, a number and a caption", 1, ("results_20130124.token: line 3",)),
    ]


@pytest.mark.parametrize("name", ["coco-captions", "flickr30k", "nocaps"])
def test_a_folder_of_something_else_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=str(tmp_path)):
        read(name, tmp_path)
