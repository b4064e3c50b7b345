"""`mglmm merge-runs` on runs of the shipped model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from pycocotools.coco import COCO

from tests import program
from tests.mglmm_cli.test_ids import EXAMPLES, by_id, mglmm, written

PANOPTIC = ("--granularity", "panoptic")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders with a run over each: both have coffee.jpg, and one.jpg, which are two photographs."""
    folder = tmp_path_factory.mktemp("merge")
    for place, names in (
        ("a", {"coffee.jpg": "coffee.jpg", "one.jpg": "astronaut.jpg"}),
        ("b", {"coffee.jpg": "coffee.jpg", "one.jpg": "rocket.jpg", "two.png": "chelsea.png"}),
    ):
        (folder / place).mkdir()
        for name, example in names.items():
            shutil.copy(EXAMPLES / example, folder / place / name)
        mglmm("segcap", place, "-o", f"out-{place}", *PANOPTIC, cwd=folder)
    return folder


def test_ids_that_collide_are_given_anew_and_the_map_leads_from_one_to_the_other(work: Path) -> None:
    said = mglmm("merge-runs", "out-a", "out-b", "-o", "both", cwd=work)
    assert said == (
        "mglmm: 4 photographs, 1 left out as an earlier run has them, 1 with another id or name; "
        "wrote both/segcap.json, both/moved.jsonl\n"
    )
    data, first, second = written(work / "both"), written(work / "out-a"), written(work / "out-b")
    assert {image["file_name"]: image["id"] for image in data["images"]} == {
        "coffee.jpg": 1,
        "one.jpg": 2,
        "out-b/one.jpg": 4,
        "two.png": 3,
    }
    [moved] = [json.loads(line) for line in (work / "both" / "moved.jsonl").read_text().splitlines()]
    assert moved == {
        "run": "out-b",
        "file_name": "one.jpg",
        "new_file_name": "out-b/one.jpg",
        "id": 2,
        "new_id": 4,
        "number": 2,
        "new_number": 4,
    }
    found = by_id(data["annotations"])
    for source in (first, second):
        for number, entry in by_id(source["annotations"]).items():
            if source is second and entry["image_id"] == moved["id"]:
                number += (moved["new_number"] - moved["number"]) * 1_000_000
            assert (found[number]["phrase"], found[number]["bbox"]) == (entry["phrase"], entry["bbox"])
    assert len(COCO(str(work / "both" / "segcap.json")).getImgIds()) == 4


def test_the_joined_run_goes_on(work: Path) -> None:
    shutil.rmtree(work / "joined", ignore_errors=True)
    mglmm("merge-runs", "out-a", "out-b", "-o", "joined", cwd=work)
    before = written(work / "joined")
    status = program.run_bytes("status", "joined", cwd=work, stdin=b"").stdout.decode()
    assert "done    4\n" in status and "joined from others" in status
    (work / "c").mkdir(exist_ok=True)
    shutil.copy(EXAMPLES / "astronaut.jpg", work / "c" / "new.jpg")
    mglmm("segcap", "c", "-o", "joined", *PANOPTIC, cwd=work)
    after = {image["file_name"]: image["id"] for image in written(work / "joined")["images"]}
    assert after == {image["file_name"]: image["id"] for image in before["images"]} | {"new.jpg": 5}
    mglmm("report", "joined", cwd=work)  # finds the photographs of both folders


def test_options_that_differ_are_refused(work: Path) -> None:
    mglmm("segcap", "a/coffee.jpg", "-o", "other", "--granularity", "fine", "--max-children", "1", cwd=work)
    said = mglmm("merge-runs", "out-a", "other", "-o", "never", cwd=work, code=2)
    assert said.count("\n") == 1 and "granularity was panoptic, is fine" in said and "other" in said
    assert not (work / "never").exists()


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (("out-a", "-o", "never"), "two or more OUT"),
        (("out-a", "out-a", "-o", "never"), "two or more OUT"),
        (("out-a", "a", "-o", "never"), "a holds no journal.jsonl"),
        (("out-a", "out-b", "-o", "out-a"), "out-a holds a run"),
        (("out-a", "out-b", "-o", "a"), "a is not empty"),
    ],
)
def test_what_can_not_be_joined(work: Path, args: tuple[Any, ...], why: str) -> None:
    said = mglmm("merge-runs", *args, cwd=work, code=2)
    assert said.count("\n") == 1 and why in said
    assert not (work / "never").exists()


def test_halves_of_a_coco_file_keep_their_ids(work: Path) -> None:
    names = ("coffee.jpg", "one.jpg", "two.png")
    listed = [{"id": 100 - at, "file_name": name, "license": 1} for at, name in enumerate(names)]
    for half, images in (("left", listed[:1]), ("right", listed[1:])):
        (work / f"{half}.json").write_text(json.dumps({"images": images, "licenses": [{"id": 1, "name": "CC0"}]}))
        mglmm("segcap", f"{half}.json", "--root", "b", "-o", half, *PANOPTIC, cwd=work)
    said = mglmm("merge-runs", "left", "right", "-o", "whole", cwd=work)
    assert said == "mglmm: 3 photographs; wrote whole/segcap.json\n"
    data = written(work / "whole")
    assert [(image["id"], image["file_name"]) for image in data["images"]] == list(
        zip((100, 99, 98), names, strict=True)
    )
    assert data["licenses"] == [{"id": 1, "name": "CC0"}]
    halves = [entry for half in ("left", "right") for entry in written(work / half)["annotations"]]
    assert by_id(halves).keys() == by_id(data["annotations"]).keys()
