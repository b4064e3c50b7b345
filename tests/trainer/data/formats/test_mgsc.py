"""MGSCData, in a fixture of its real layout."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import UsageError
from engine.text.prompts import FAMILIES, PUBLIC, Task
from tests.trainer.data.formats.made import HEIGHT, TAGGED, WIDTH, box, noted, photograph, read, rle, same, told, write
from trainer.data.formats import open_format
from trainer.data.formats.base import Skipped

NO_MASK = "a mask that is not JSON of run lengths in base64"

MAN, DOG, HAT = box(0, 0, 6, 5), box(4, 10, 9, 15), box(0, 1, 2, 4)


def keyed(label: str, mask: np.ndarray | None) -> dict[str, Any]:
    if mask is None:
        return {"label": label, "mask": "None"}
    coco = rle(mask)
    coco["counts"] = base64.b64encode(coco["counts"].encode("ascii")).decode("ascii")
    return {"label": label, "mask": json.dumps(coco)}


def root(**changes: Any) -> dict[str, Any]:
    return {
        "file_name": "sa_1.jpg",
        "type": "root",
        "label": "root",
        "gcg_caption": '"<man_1>A tall man</man_1> walks   <dog_1>his dog</dog_1>, and <i>smiles</i>."',
        "gcg_labels": ["dog_1", "man_1"],
        "man_1": keyed("man", MAN),
        "dog_1": keyed("dog", DOG),
    } | changes


def subtree(**changes: Any) -> dict[str, Any]:
    return {
        "file_name": "sa_1.jpg",
        "type": "subtree",
        "label": "subtree:man in a hat",
        "gcg_caption": "He wears <hat></hat>.",
        "gcg_labels": ["hat"],
        "hat": keyed("a hat", HAT),
    } | changes


def test_a_root_is_a_panoptic_question_and_a_subtree_a_fine_grained_one(tmp_path: Path) -> None:
    write(tmp_path / "annotations/sa_1.json", [root(), subtree()])
    photograph(tmp_path / "images/sa_1.jpg")
    (whole, part), skipped = read("mgsc", tmp_path)
    assert (whole.image, whole.height, whole.width) == ("images/sa_1.jpg", HEIGHT, WIDTH)
    assert (whole.task, part.task) == (Task.PANOPTIC_SEGCAP, Task.FINE_SEGCAP)
    assert told(whole) == (
        FAMILIES[Task.PANOPTIC_SEGCAP][0],
        "<p> A tall man </p> [SEG] walks <p> his dog </p> [SEG], and smiles.",
    )
    # The masks follow the caption, not the list of keys.
    assert same(whole, MAN, DOG)
    # Between empty tags stands the label.
    assert told(part) == (
        "Describe man in a hat in the image comprehensively, with interleaved masks.",
        "He wears <p> a hat </p> [SEG].",
    )
    assert same(part, HAT)
    assert (whole.source, part.source) == ("sa_1.json: node 0", "sa_1.json: node 1")
    assert not skipped.total


def test_questions_take_the_wordings_of_the_model_in_turn(tmp_path: Path) -> None:
    write(tmp_path / "annotations/sa_1.json", [root()] * 4)
    photograph(tmp_path / "images/sa_1.jpg")
    records, _ = read("mgsc", tmp_path)
    wordings = FAMILIES[Task.PANOPTIC_SEGCAP]
    assert [told(record)[0] for record in records] == [*wordings, wordings[0]]
    (first, *_) = open_format("mgsc").read(tmp_path, PUBLIC, Skipped())
    assert told(first)[0] == PUBLIC[Task.PANOPTIC_SEGCAP][0]


def test_a_phrase_without_a_mask_is_text_and_a_mask_without_a_phrase_is_noted(tmp_path: Path) -> None:
    node = root(
        dog_1=keyed("dog", None), gcg_labels=["man_1", "dog_1", "hat"], hat=keyed("hat", HAT)
    )  # fmt: skip
    write(tmp_path / "annotations/sa_1.json", [node])
    photograph(tmp_path / "images/sa_1.jpg")
    (record,), skipped = read("mgsc", tmp_path)
    assert told(record)[1] == "<p> A tall man </p> [SEG] walks his dog, and smiles."
    assert same(record, MAN)
    assert set(skipped.reasons()) == {
        ("a phrase without a mask", 1, ("sa_1.json: node 0: dog_1",)),
        ("a mask whose key is not in the caption", 1, ("sa_1.json: node 0: hat",)),
    }


def test_only_the_training_split_is_read_where_it_is_listed(tmp_path: Path) -> None:
    for name in ("sa_1", "sa_2", "sa_3"):
        write(tmp_path / f"annotations/{name}.json", [root(file_name=f"{name}.jpg")])
        photograph(tmp_path / f"images/{name}.jpg")
    (tmp_path / "annotations/MGLMM_train_split.txt").write_text("sa_3.json\nsa_1.json\n")
    records, _ = read("mgsc", tmp_path)
    assert [record.image for record in records] == ["images/sa_3.jpg", "images/sa_1.jpg"]


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (root(gcg_caption=None), "'gcg_caption' that is not str"),
        (root(gcg_labels=[]), "no mask"),
        (root(gcg_labels=["cat"]), "no 'cat'"),
        (root(type="leaf"), "a type that is neither root nor subtree"),
        (subtree(label="man"), "a label without a name behind the colon"),
        (root(man_1={"label": "man", "mask": "{"}), NO_MASK),
        (root(man_1={"label": "man", "mask": '{"size": [12, 20]}'}), NO_MASK),
        (root(man_1={"label": "man", "mask": '{"counts": "*"}'}), NO_MASK),
        (root(man_1=keyed("man", box(0, 0, 0, 0))), "an empty mask"),
        (root(man_1=keyed("man", box(0, 0, 2, 2, 5, 5))), "masks of different sizes"),
        (root(gcg_caption="[SEG] <man_1>man</man_1> <dog_1>dog</dog_1>"), TAGGED),
        (root(file_name="gone.jpg"), "its photograph is not there"),
        ("text", "an entry that is not an object"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_counted_and_named(tmp_path: Path, node: Any, reason: str) -> None:
    write(tmp_path / "annotations/sa_1.json", [node, subtree()])
    photograph(tmp_path / "images/sa_1.jpg")
    records, skipped = read("mgsc", tmp_path)
    assert [record.source for record in records] == ["sa_1.json: node 1"]
    assert noted(skipped) == [(reason, 1, ("sa_1.json: node 0",))]


def test_a_photograph_of_another_size_is_noted(tmp_path: Path) -> None:
    write(tmp_path / "annotations/sa_1.json", [root()])
    photograph(tmp_path / "images/sa_1.jpg", WIDTH, HEIGHT)
    records, skipped = read("mgsc", tmp_path)
    assert not records
    ((reason, _, where),) = skipped.reasons()
    assert reason.startswith("its photograph is turned against its annotation")
    assert where == ("sa_1.json: node 0 (images/sa_1.jpg)",)


def test_missing_and_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="annotations: no such folder"):
        read("mgsc", tmp_path)
    (tmp_path / "annotations").mkdir()
    with pytest.raises(UsageError, match=r"annotations: no \*\.json in it"):
        read("mgsc", tmp_path)
    (tmp_path / "MGLMM_train_split.txt").write_text("sa_9.json\n")
    with pytest.raises(UsageError, match=r"sa_9\.json: no such file"):
        read("mgsc", tmp_path)
    (tmp_path / "annotations/sa_9.json").write_text("[{")
    with pytest.raises(UsageError, match=r"sa_9\.json: not JSON"):
        read("mgsc", tmp_path)
