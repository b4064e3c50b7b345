"""Whatever stands in place of a value of an annotation file: it is read, counted, or one line that names the file."""

from __future__ import annotations

import json
import pickle
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.errors import UsageError
from tests.trainer.data.formats import (
    test_coco_instances,
    test_coco_panoptic,
    test_dci,
    test_grand,
    test_grand_f,
    test_grefer,
    test_mgsc,
    test_muse,
    test_paco_lvis,
    test_pascal_part,
    test_reason_seg,
    test_refer,
    test_visual_genome,
)
from tests.trainer.data.formats.made import photograph, read, write

TRIES = 40
VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 2**63, 10**400, 1e308, -1e308, float("nan"), float("inf")),
    *("", "1", "x", "../../x", "a\0b", "half \ud83c", "b'1'", [], [1], [None], [[]], [[1, 2]], {}, {"a": 1}),
)
IMAGE = {"id": 1, "file_name": "1.jpg", "height": 12, "width": 20}
BOXED = {"file_name": "1.jpg", "height": 12, "width": 20, "annotation": [{"bbox": [1, 1, 5, 5]}]}
TALK = [{"from": "human", "value": "Where is <region1>?"}, {"from": "gpt", "value": "There."}]


def alone(path: str, content: Any, image: str) -> Callable[[Path], None]:
    """A set of one file and one photograph."""

    def make(root: Path) -> None:
        write(root / path, content)
        photograph(root / image)

    return make


SETS: dict[str, Callable[[Path], object]] = {
    "refcoco": lambda root: test_refer.make(root, [test_refer.ref(0, 100, 9, "a"), test_refer.ref(1, 101, 9, "b")]),
    "grefcoco": lambda root: test_grefer.make(
        root, [test_grefer.ref(0, [100, 101], "a"), test_grefer.ref(1, [-1], "b")]
    ),
    "coco-instances": lambda root: test_coco_instances.make(root, test_coco_instances.STREET, (7, 8)),
    "coco-panoptic": lambda root: test_coco_panoptic.make(root, test_coco_panoptic.segment(test_coco_panoptic.ONE, 1)),
    "paco-lvis": lambda root: test_paco_lvis.make(root, test_paco_lvis.MUGS, neg_category_ids=[3]),
    "pascal-part": lambda root: test_pascal_part.make(
        root,
        test_pascal_part.annotation(0, 24, test_pascal_part.RIGHT),
        test_pascal_part.annotation(1, 19, test_pascal_part.PLATE),
    ),
    "visual-genome": lambda root: test_visual_genome._made(root, "images"),
    "muse": lambda root: test_muse.make(root, test_muse.entry(test_muse.ASKED)),
    "dci": lambda root: test_dci.make(root, test_dci.entry()),
    "reasonseg": lambda root: test_reason_seg.make(
        root, test_reason_seg.entry(), [{"image": "1_2.jpg", "query": "q", "outputs": "o"}]
    ),
    "grand": lambda root: test_grand.make(root, test_grand.entry()),
    "mgsc": alone("annotations/sa_1.json", [test_mgsc.root(), test_mgsc.subtree()], "images/sa_1.jpg"),
    "grandf-human": alone(
        "GranDf/annotations/train/GranDf_HA_GCG_train.json", [test_grand_f.human()], "GranDf_HA_images/train/sa_1.jpg"
    ),
    "grandf-refcocog": alone(
        "GranDf/annotations/train/RefCOCOg_GCG_train.json",
        [test_grand_f.refs()],
        "coco_2014/train2014/COCO_train2014_000000000001.jpg",
    ),
    "grandf-flickr": alone(
        "GranDf/annotations/train/flickr_mergedGT_GCG_train.json",
        test_grand_f.flickr([test_grand_f.flickr_object(test_grand_f.MAN, [0, 8])]),
        "flikcr_30k/train/1000092795.jpg",
    ),
    "coco-captions": alone(
        "captions.json", {"images": [IMAGE], "annotations": [{"id": 1, "image_id": 1, "caption": "a"}]}, "images/1.jpg"
    ),
    "flickr30k": alone(
        "dataset_flickr30k.json",
        {"images": [{"filename": "1.jpg", "split": "train", "sentences": [{"raw": "a"}]}]},
        "flickr30k-images/1.jpg",
    ),
    "llava-instruct": alone(
        "llava_instruct_150k.json", [{"id": "1", "image": "1.jpg", "conversations": TALK}], "train2017/1.jpg"
    ),
    "osprey": alone("osprey_conversation.json", [BOXED | {"conversations": TALK}], "train2017/1.jpg"),
    "refcocog-regions": alone(
        "finetune_refcocog_train.json",
        {"images": [IMAGE | {"caption": "a"}], "annotations": [{"id": 1, "image_id": 1, "bbox": [1, 1, 5, 5]}]},
        "images/1.jpg",
    ),
}


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value in a file."""
    yield above
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*above, key))


def replaced(value: Any, place: tuple[Any, ...], other: Any) -> Any:
    if not place:
        return other
    inner = replaced(value[place[0]], place[1:], other)
    if isinstance(value, dict):
        return value | {place[0]: inner}
    return [*value[: place[0]], inner, *value[place[0] + 1 :]]


@pytest.mark.parametrize("name", SETS)
def test_any_value_anywhere(tmp_path: Path, name: str) -> None:
    SETS[name](tmp_path)
    assert read(name, tmp_path)[0]
    files = [path for path in sorted(tmp_path.rglob("*")) if path.suffix in (".json", ".p")]
    drawn = random.Random(name)
    for _ in range(TRIES):
        path, other = drawn.choice(files), drawn.choice(VALUES)
        content = path.read_bytes()
        plain = path.suffix == ".json"
        value = json.loads(content) if plain else pickle.loads(content)
        place = drawn.choice(list(places(value)))
        changed = replaced(value, place, other)
        path.write_bytes(json.dumps(changed).encode() if plain else pickle.dumps(changed, 2))
        try:
            _, skipped = read(name, tmp_path)
        except UsageError as error:
            assert "\n" not in str(error), (place, other)
        else:
            assert all(where for _, _, where in skipped.reasons())
        path.write_bytes(content)
