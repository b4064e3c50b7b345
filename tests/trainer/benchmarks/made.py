"""Small made data sets in the published layouts."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from engine.masks import rle
from engine.records import RLE

HEIGHT, WIDTH = 20, 30


def bar(left: int) -> RLE:
    """A bar of six columns."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[:, left : left + 6] = True
    return rle.encode(mask[None])[0]


def polygon(left: int) -> list[list[float]]:
    """The same as a polygon."""
    return [[left, 0, left + 6, 0, left + 6, HEIGHT, left, HEIGHT]]


def photograph(path: Path) -> None:
    """A grey photograph."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (WIDTH, HEIGHT), (90, 90, 90)).save(path)


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def refcoco(root: Path) -> Path:
    """Two expressions for one bar and one for another in `val`, one in `testA`; gRefCOCO has an empty one besides."""
    photograph(root / "images/mscoco/images/train2014/a.jpg")
    instances = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": HEIGHT, "width": WIDTH}],
        "categories": [{"id": 1, "name": "bar"}],
        "annotations": [
            {"id": n, "image_id": 1, "category_id": 1, "iscrowd": 0, "segmentation": polygon(left)}
            for n, left in ((1, 0), (2, 15))
        ],
    }
    refs = [
        {"ref_id": n, "ann_id": ann, "image_id": 1, "split": split, "sentences": sentences, "category_id": 1}
        for n, ann, split, sentences in (
            (1, 1, "val", [{"sent_id": 1, "sent": "left bar"}, {"sent_id": 2, "sent": "the first"}]),
            (2, 2, "val", [{"sent_id": 3, "sent": "right bar"}]),
            (3, 2, "testA", [{"sent_id": 4, "sent": "the other"}]),
        )
    ]
    write_json(root / "refcoco/instances.json", instances)
    (root / "refcoco/refs(unc).p").write_bytes(pickle.dumps(refs, protocol=2))
    write_json(root / "grefcoco/instances.json", instances)
    several = {"sentences": [{"sent_id": 5, "sent": "both"}], "ann_id": [1, 2]}
    nothing = {"sentences": [{"sent_id": 6, "sent": "the zebra"}], "ann_id": [-1], "no_target": True}
    grefs = [refs[0] | {"ref_id": n} | part for n, part in ((5, several), (6, nothing))]
    write_json(root / "grefcoco/grefs(unc).json", grefs)
    return root


def reason_seg(root: Path) -> Path:
    """One question in words and one phrase; columns 6 to 12 of the first are undecided."""
    for name, sentence, shapes in (
        ("one", True, [("target", 0), ("ignore", 6)]),
        ("two", False, [("target", 15), ("flag", 0)]),
    ):
        photograph(root / f"val/{name}.jpg")
        entry = {
            "text": ["What holds?"] if sentence else ["the bar"],
            "is_sentence": sentence,
            "shapes": [
                {"label": label, "points": np.reshape(polygon(left), (-1, 2)).tolist()} for label, left in shapes
            ],
        }
        write_json(root / f"val/{name}.json", entry)
    return root


def muse(root: Path) -> Path:
    """A photograph with two questions, the first about two bars."""
    photograph(root / "val2017/a.jpg")
    bars = [{"category_name": "bar", "segmentation": polygon(left)} for left in (0, 15)]
    entry = {
        "coco_url": "http://images.cocodataset.org/val2017/a.jpg",
        "height": HEIGHT,
        "width": WIDTH,
        "questions": ["What holds?", "What falls?"],
        "answers": [bars, bars[:1]],
    }
    write_json(root / "MUSE_val.json", [entry])
    return root


def captioned(path: Path, folder: Path, extra: dict[str, Any] | None = None) -> Path:
    """Two photographs with two captions each, in COCO's layout."""
    images = []
    for number, name in enumerate(("a.jpg", "b.jpg"), start=1):
        photograph(folder / name)
        image = {"id": number, "file_name": name, "height": HEIGHT, "width": WIDTH}
        images.append(image | {key: values[number - 1] for key, values in (extra or {}).items()})
    annotations = [
        {"id": 10 * image + n, "image_id": image, "caption": text, "bbox": [3, 2, 6, 10]}
        for image, texts in ((1, ("a grey wall", "a wall in grey")), (2, ("a dark photo", "the dark")))
        for n, text in enumerate(texts)
    ]
    write_json(path, {"images": images, "annotations": annotations})
    return path


def panoptic(root: Path) -> Path:
    """Two bars of a thing on stuff, and a column of void."""
    photograph(root / "val2017/a.jpg")
    ids = np.full((HEIGHT, WIDTH), 300)
    ids[:, :6], ids[:, 15:21], ids[:, -1] = 1, 2, 0
    picture = np.stack([ids % 256, ids // 256, np.zeros_like(ids)], axis=-1).astype(np.uint8)
    (root / "annotations/panoptic_val2017").mkdir(parents=True)
    Image.fromarray(picture).save(root / "annotations/panoptic_val2017/a.png")
    segments = [
        {"id": identity, "category_id": category, "iscrowd": 0, "area": int((ids == identity).sum())}
        for identity, category in ((1, 7), (2, 7), (300, 9))
    ]
    content = {
        "images": [{"id": 5, "file_name": "a.jpg", "height": HEIGHT, "width": WIDTH}],
        "categories": [{"id": 7, "name": "bar", "isthing": 1}, {"id": 9, "name": "wall-other-merged", "isthing": 0}],
        "annotations": [{"image_id": 5, "file_name": "a.png", "segments_info": segments}],
    }
    write_json(root / "annotations/panoptic_val2017.json", content)
    return root


def mgsc(root: Path) -> Path:
    """The official files of a root and a subtree question about one photograph; mask ids begin at 0."""
    photograph(root / "sa_1.jpg")
    images = [
        {"id": "sa_1_0", "type": "root", "file_name": "sa_1_0.jpg", "sam_file_name": "sa_1.jpg"},
        {"id": "sa_1_1", "type": "subtree:wall", "file_name": "sa_1_1.jpg", "sam_file_name": "sa_1.jpg"},
    ]
    texts = [("sa_1_0", "A grey wall with a bar."), ("sa_1_1", "The wall has a bar.")]
    captions = [
        {"id": n, "image_id": image, "caption": text, "labels": ["wall", "bar"]}
        for n, (image, text) in enumerate(texts)
    ]
    masks = [
        {"id": n, "image_id": image, "category_id": 1, "area": 6 * HEIGHT, "segmentation": bar(left).to_coco()}
        for n, (image, left) in enumerate((image, left) for image, _ in texts for left in (0, 15))
    ]
    write_json(root / "all_mgsc_caption_gt.json", {"images": images, "annotations": captions})
    write_json(root / "all_mgsc_mask_gt.json", {"images": images, "annotations": masks})
    return root
