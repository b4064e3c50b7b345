"""A COCO JSON goes in, and what comes out goes with it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tests import program
from tests.mglmm_cli.test_ids import EXAMPLES, mglmm, written

# pycocotools asks numpy for its arrays in a way that numpy 2 remarks on.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
LICENCES = [{"id": 4, "name": "CC BY", "url": "https://creativecommons.org/licenses/by/4.0/"}]
NAMES = {397_133: "coffee.jpg", 12: "sub/rocket.jpg", 580_000: "astronaut.jpg"}
PANOPTIC = ("--granularity", "panoptic")


def images(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "photos.json").read_bytes())["images"]
    return found


def output(*args: str, cwd: Path) -> str:
    return program.run_bytes(*args, cwd=cwd, stdin=b"").stdout.decode()


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photographs, a COCO file about them with a box in each, and a run over it."""
    folder = tmp_path_factory.mktemp("coco")
    listed: list[dict[str, Any]] = []
    for number, name in NAMES.items():
        (folder / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(EXAMPLES / Path(name).name, folder / "photos" / name)
        with Image.open(folder / "photos" / name) as photograph:
            width, height = photograph.size
        about = {"license": 4, "coco_url": f"http://images.example/{name}", "split": "val"}
        listed.append({"id": number, "file_name": name, "width": width, "height": height, **about})
    shape = {"area": 8000, "bbox": [10, 10, 100, 80], "segmentation": [[10, 10, 110, 10, 110, 90, 10, 90]]}
    boxes = [
        {"id": at, "image_id": number, "category_id": 1, "iscrowd": 0, **shape}
        for at, number in enumerate(NAMES, start=1)
    ]
    data = {"licenses": LICENCES, "images": listed, "annotations": boxes, "categories": [{"id": 1, "name": "person"}]}
    (folder / "photos.json").write_text(json.dumps(data))
    mglmm("segcap", "photos.json", "--root", "photos", "-o", "out", *PANOPTIC, cwd=folder)
    return folder


def test_ids_names_licences_and_other_keys_are_kept(work: Path) -> None:
    data = written(work / "out")
    assert data["images"] == images(work) and data["licenses"] == LICENCES
    assert {entry["image_id"] for entry in data["annotations"]} == set(NAMES)
    assert all(entry["id"] // 1_000_000 == entry["image_id"] for entry in data["annotations"] + data["captions"])


def test_pycocotools_takes_the_annotations_as_results_of_the_truth(work: Path) -> None:
    coco = COCO(str(work / "photos.json"))
    annotations = written(work / "out")["annotations"]
    results = coco.loadRes(annotations)
    assert results.getImgIds() == coco.getImgIds() and len(results.anns) == len(annotations)
    evaluation = COCOeval(coco, results, "segm")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert 0 <= evaluation.stats[0] <= 1


def test_the_same_command_takes_over_what_the_list_says_now(work: Path) -> None:
    data = json.loads((work / "photos.json").read_bytes())
    data["images"][0] |= {"split": "train", "photo": {"a": 1}}
    (work / "photos.json").write_text(json.dumps(data))
    said = mglmm("segcap", "photos.json", "--root", "photos", "-o", "out", *PANOPTIC, cwd=work)
    assert "nothing to do; done before: 3 photographs" in said
    assert written(work / "out")["images"] == images(work)
    mglmm("rebuild", "out", cwd=work)
    assert written(work / "out")["images"] == images(work)
    assert "left    0\n" in output("status", "out", cwd=work)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"id": 5}, "coffee.jpg has id 397133 there, and 5 in other.json"),
        ({"file_name": "new.jpg"}, "397133 is the id of coffee.jpg there, and of new.jpg in other.json"),
    ],
)
def test_other_ids_than_those_of_the_folder_are_refused(work: Path, change: dict[str, Any], why: str) -> None:
    first, *others = images(work)
    (work / "other.json").write_text(json.dumps({"images": [first | change, *others]}))
    said = mglmm("segcap", "other.json", "--root", "photos", "-o", "out", *PANOPTIC, cwd=work, code=2)
    assert said.count("\n") == 1 and why in said and "--fresh" in said


def test_what_is_wrong_is_named_and_the_others_are_done(work: Path) -> None:
    listed = [
        {"id": "b", "file_name": "sub/rocket.jpg"},
        {"id": "a", "file_name": "coffee.jpg"},
        {"id": "a", "file_name": "astronaut.jpg"},
        {"id": 3, "file_name": "astronaut.jpg"},
        {"id": "c", "file_name": "gone.jpg"},
    ]
    (work / "bad.json").write_text(json.dumps({"images": listed}))
    said = mglmm("segcap", "bad.json", "--root", "photos", "-o", "bad", *PANOPTIC, cwd=work, code=3)
    assert "bad.json: image 3 ('astronaut.jpg', id 'a') has the id of 'coffee.jpg': it is left out" in said
    assert "bad.json: image 4 ('astronaut.jpg', id 3) has an id that is a number, where most are text" in said
    assert "gone.jpg: open: no such file" in said
    assert "2 photographs done" in said and "2 entries left out" in said
    data = written(work / "bad")
    assert {image["id"]: image["file_name"] for image in data["images"]} == {"b": "sub/rocket.jpg", "a": "coffee.jpg"}
    # They are no numbers: other ids follow from the order of the list.
    assert {entry["id"] // 1_000_000: entry["image_id"] for entry in data["annotations"]} == {1: "b", 2: "a"}
    COCO(str(work / "bad" / "segcap.json")).loadRes(data["annotations"])


def test_a_stream_has_them_too(work: Path) -> None:
    lines = output("segcap", "photos.json", "--root", "photos", "-o", "-", *PANOPTIC, cwd=work).splitlines()
    assert [json.loads(line)["image"] for line in lines] == images(work)


def test_photographs_that_are_of_another_size_than_it_says_are_counted(work: Path) -> None:
    given = images(work)[0]
    turned = given | {"width": given["height"], "height": given["width"]}
    (work / "turned.json").write_text(json.dumps({"images": [turned]}))
    said = mglmm("segcap", "turned.json", "--root", "photos", "-o", "turned", *PANOPTIC, cwd=work)
    assert "1 photograph not of the size that the list says" in said
    [image] = written(work / "turned")["images"]
    assert (image["width"], image["height"]) == (given["width"], given["height"])
