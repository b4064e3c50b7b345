"""Sets that say in several ways what is one thing: VOC, COCO-Stuff; and parts that know left from right."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.errors import UsageError
from engine.masks import rle
from trainer.data.augment import augment
from trainer.data.cocostuff import cocostuff
from trainer.data.folders import carparts
from trainer.data.scene import IGNORE, Scene
from trainer.data.voc import pieces, voc, voc2

VOC = (
    "background aeroplane bicycle bird boat bottle bus car cat chair cow dining_table dog horse motorbike person "
    "potted_plant sheep sofa train tv_monitor unlabelled"
).split()
SIZE = (20, 30)


def _folder(root: Path, classes: list[str], index: np.ndarray) -> Path:
    for name in ("images", "labels"):
        (root / "train" / name).mkdir(parents=True, exist_ok=True)
    (root / "classes.txt").write_text("\n".join(name.replace("_", " ") for name in classes))
    Image.fromarray(index).save(root / "train" / "labels" / "a.png")
    Image.new("RGB", (index.shape[1], index.shape[0])).save(root / "train" / "images" / "a.jpg")
    return root / "train"


def _annotated(folder: Path, file: str, *objects: tuple[str, np.ndarray | None]) -> None:
    names = [name.replace("_", " ") for name in VOC]
    annotations = []
    for number, (label, mask) in enumerate(objects):
        entry: dict[str, object] = {
            "id": number,
            "image_id": 1,
            "category_id": names.index(label),
            "bbox": [0, 0, 9, 9],
        }
        if mask is not None:
            found = rle.encode(mask[None])[0]
            entry["segmentation"] = {"size": [found.height, found.width], "counts": found.counts}
        annotations.append(entry)
    categories = [{"id": number, "name": name} for number, name in enumerate(names)]
    images = [{"id": 1, "file_name": "a.jpg"}]
    (folder / file).write_text(json.dumps({"images": images, "categories": categories, "annotations": annotations}))


def _boxes(*places: tuple[int, int, int]) -> np.ndarray:
    """Labels: from one column to another, so many rows from the sixth on, of a class."""
    index = np.zeros(SIZE, np.uint8)
    for value, left, right in places:
        index[5:15, left:right] = value
    return index


def _scene(root: Path, index: np.ndarray, *objects: tuple[str, np.ndarray | None], second: bool = False) -> Scene:
    name, file, read = ("voc2", "instances.json", voc2) if second else ("voc", "animals.json", voc)
    _annotated(_folder(root / name, VOC, index), file, *objects)
    found = read(root, "train")
    return found.load(found.items[0])


def _counted(scene: Scene) -> list[tuple[str, int]]:
    return [(thing.label, int(thing.mask.sum())) for thing in scene.things]


def test_animals_with_a_mask_each_are_apart(tmp_path: Path) -> None:
    index = _boxes((12, 2, 10), (12, 10, 20))
    left, right = _boxes((1, 2, 10)) > 0, _boxes((1, 10, 20)) > 0
    scene = _scene(tmp_path, index, ("dog", left), ("dog", right))
    assert _counted(scene) == [("dog", 80), ("dog", 100)] and scene.crowds == ()


def test_animals_of_which_some_have_no_mask_are_uncounted(tmp_path: Path) -> None:
    index = _boxes((12, 2, 10), (12, 10, 20))
    for objects in ([("dog", _boxes((1, 2, 10)) > 0), ("dog", None)], [("dog", _boxes((1, 2, 10)) > 0)] * 2):
        scene = _scene(tmp_path, index, *objects)
        assert _counted(scene) == [("dog", 180)] and scene.crowds == ("dog",)


@pytest.mark.parametrize(
    ("places", "crowds"),
    [
        ([(7, 2, 12)], ()),
        ([(7, 2, 10), (7, 14, 22)], ("car",)),
        ([(15, 2, 8)], ()),  # taller than wide: one person
        ([(15, 2, 20)], ("person",)),
    ],
)
def test_a_class_is_one_thing_unless_something_tells_that_it_is_more(
    tmp_path: Path, places: list[tuple[int, int, int]], crowds: tuple[str, ...]
) -> None:
    scene = _scene(tmp_path, _boxes(*places))
    assert len(scene.things) == 1 and scene.crowds == crowds


def test_boxes_count_what_has_no_mask(tmp_path: Path) -> None:
    index = _boxes((1, 2, 12), (15, 14, 24))
    scene = _scene(tmp_path, index, ("aeroplane", None), ("person", None), second=True)
    assert _counted(scene) == [("airplane", 100), ("person", 100)] and scene.crowds == ()
    scene = _scene(tmp_path, index, ("aeroplane", None), ("aeroplane", None), second=True)
    assert scene.crowds == ("airplane", "person")


def test_names_are_those_of_coco_and_borders_are_unknown(tmp_path: Path) -> None:
    index = _boxes((18, 2, 12))
    index[0] = 21
    scene = _scene(tmp_path, index)
    assert _counted(scene) == [("couch", 100)]
    assert scene.semantic is not None and (scene.semantic[0] == IGNORE).all() and scene.classes[18] == "couch"


def test_pieces_of_like_size_are_counted() -> None:
    mask = np.zeros((100, 200), bool)
    mask[10:50, 10:60] = mask[10:50, 100:150] = True
    mask[80:84, 10:14] = True
    assert pieces(mask) == 2
    mask[30, 60:100] = True  # a thread is not seen from afar
    assert pieces(mask) == 2
    mask[20:40, 60:100] = True
    assert pieces(mask) == 1
    assert pieces(np.zeros((9, 9), bool)) == 0


def test_things_and_stuff(tmp_path: Path) -> None:
    names = [f"thing{number}" for number in range(91)] + [f"stuff{number}" for number in range(91)]
    names[2], names[100], names[101], names[102] = "car", "wall-brick", "wall-stone", "sky-other"
    index = np.full(SIZE, 182, np.uint8)
    index[:5], index[5:10], index[10:15] = 100, 101, 102
    index[15:, :20] = 2
    numbers = index.copy()
    numbers[15:, :10], numbers[15:, 10:20] = 0, 1
    folder = _folder(tmp_path / "cocostuff", [*names, "unlabelled"], index)
    (folder / "instances").mkdir()
    Image.fromarray(np.where(index == 182, np.uint8(255), numbers)).save(folder / "instances" / "a.png")
    found = cocostuff(tmp_path, "train")
    scene = found.load(found.items[0])
    assert [(thing.label, thing.stuff, int(thing.mask.sum())) for thing in scene.things] == [
        ("car", False, 50),
        ("car", False, 50),
        ("wall", True, 300),
        ("sky", True, 150),
    ]
    (tmp_path / "cocostuff" / "classes.txt").write_text("car")
    with pytest.raises(UsageError, match="has 1 names, expected 182"):
        cocostuff(tmp_path, "train")


def test_a_mirrored_left_door_is_a_right_door(tmp_path: Path) -> None:
    index = np.zeros(SIZE, np.uint8)
    index[:, :10], index[:, 10:15] = 1, 3
    _folder(tmp_path / "carparts", ["background", "back_left_door", "back_right_door", "wheel"], index)
    found = carparts(tmp_path, "train")
    scene = found.load(found.items[0])
    seen = set()
    for seed in range(20):
        made = augment(scene, np.random.default_rng(seed), 30, train=True)
        assert made.semantic is not None
        door = next(thing for thing in made.things if "door" in thing.label)
        at_left = np.flatnonzero(door.mask.any(axis=0)).mean() < 15
        seen.add((door.label, bool(at_left)))
        assert (made.semantic[door.mask] == found.classes.index(door.label)).all()
        assert any(thing.label == "wheel" for thing in made.things)
    assert seen == {("back left door", True), ("back right door", False)}
