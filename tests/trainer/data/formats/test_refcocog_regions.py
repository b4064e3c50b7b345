from __future__ import annotations

from pathlib import Path

from engine.text.prompts import FAMILIES, Task
from tests.trainer.data.formats.made import HEIGHT, WIDTH, photograph, read, told, write


def test_expressions_describe_their_boxes(tmp_path: Path) -> None:
    def image(number: int, name: str, caption: str) -> dict[str, object]:
        size = {"height": HEIGHT, "width": WIDTH}
        more = {"original_id": 7, "dataset_name": "refcocog", "tokens_negative": [[0, 5]]}
        return {"file_name": name, "id": number, "caption": caption, **size, **more}

    def annotation(number: int, box: list[float]) -> dict[str, object]:
        return {"area": 1.0, "iscrowd": 0, "image_id": number, "category_id": 1, "id": number, "bbox": box}

    first, second = "COCO_train2014_000000000007.jpg", "COCO_train2014_000000000009.jpg"
    write(
        tmp_path / "finetune_refcocog_train.json",
        {
            "info": [],
            "images": [
                image(0, first, "the man in the yellow coat"),
                image(1, second, "a dog"),
                image(2, first, "skier in yellow"),
                image(3, first, "nobody"),
                image(4, first, "a speck"),
            ],
            "categories": [{"supercategory": "person", "id": 1, "name": "person"}],
            "annotations": [
                annotation(0, [5.0, 3.0, 10.0, 6.0]),
                annotation(1, [0.0, 0.0, 4.0, 3.0]),
                annotation(2, [5.0, 3.0, 5.0, 6.0]),
                annotation(4, [5.0, 3.0, 0.0, 6.0]),
            ],
        },
    )
    for name in (first, second):
        photograph(tmp_path / "train2014" / name)
    records, skipped = read("refcocog-regions", tmp_path)
    wordings = FAMILIES[Task.REGION]
    # Those about one photograph follow each other.
    assert [(record.image, *told(record)) for record in records] == [
        (f"train2014/{first}", wordings[0].format(box="[25, 25, 75, 75]"), "the man in the yellow coat"),
        (f"train2014/{first}", wordings[1].format(box="[25, 25, 50, 75]"), "skier in yellow"),
        (f"train2014/{second}", wordings[0].format(box="[0, 0, 20, 25]"), "a dog"),
    ]
    file = "finetune_refcocog_train.json"
    assert sorted(skipped.reasons()) == [
        ("a box without area inside the photograph", 1, (f"{file}: image 4: 4",)),
        ("no box", 1, (f"{file}: image 3",)),
    ]
