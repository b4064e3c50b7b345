"""Ids of images, annotations and captions in what the program writes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests import program

EXAMPLES = Path(__file__).parents[2] / "examples"


def mglmm(*args: str | Path, cwd: Path, code: int = 0) -> str:
    done = program.run_bytes(*args, cwd=cwd, stdin=b"")
    assert done.returncode == code, done.stderr.decode()
    return done.stderr.decode()


def written(out: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((out / "segcap.json").read_bytes())
    return data


def by_id(entries: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    found = {entry["id"]: entry for entry in entries}
    assert len(found) == len(entries)
    return found


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run over two photographs."""
    folder = tmp_path_factory.mktemp("ids")
    (folder / "photos").mkdir()
    shutil.copy(EXAMPLES / "coffee.jpg", folder / "photos" / "b.jpg")
    shutil.copy(EXAMPLES / "rocket.jpg", folder / "photos" / "d.jpg")
    mglmm("segcap", "photos", "-o", "out", cwd=folder)
    return folder


def test_photographs_that_are_added_change_no_id(work: Path) -> None:
    before = written(work / "out")
    shutil.copy(EXAMPLES / "chelsea.png", work / "photos" / "a.png")
    shutil.copy(EXAMPLES / "astronaut.jpg", work / "photos" / "c.jpg")
    mglmm("segcap", "photos", "-o", "out", cwd=work)
    after = written(work / "out")
    assert {image["file_name"]: image["id"] for image in after["images"]} == {
        "a.png": 3,
        "b.jpg": 1,
        "c.jpg": 4,
        "d.jpg": 2,
    }
    for section in ("images", "annotations", "captions"):
        old, new = by_id(before[section]), by_id(after[section])
        # Categories are numbered by name, and there are more of them now.
        for entry in (*old.values(), *new.values()):
            entry.pop("category_id", None)
        assert old and old.items() <= new.items()


@pytest.mark.parametrize(
    "options", [("--nms", "off"), ("--groups", "split"), ("--min-area", "20000", "--min-part", "40")]
)
def test_no_option_changes_the_id_of_what_stays(work: Path, options: tuple[str, ...]) -> None:
    mglmm("rebuild", "out", cwd=work)
    before = by_id(written(work / "out")["annotations"])
    mglmm("rebuild", "out", *options, cwd=work)
    after = by_id(written(work / "out")["annotations"])
    stayed = before.keys() & after.keys()
    assert stayed and before.keys() != after.keys()
    for number in stayed:
        one, other = (
            [entries[number][key] for key in ("image_id", "span", "caption_id")] for entries in (before, after)
        )
        assert one == other


def test_two_runs_with_the_same_categories_number_them_alike(work: Path) -> None:
    mglmm("rebuild", "out", cwd=work)
    names = sorted((work / "photos").iterdir(), reverse=True)
    mglmm("segcap", *names, "-o", "reversed", "--batch-size", "1", cwd=work)
    one, other = written(work / "out"), written(work / "reversed")
    assert [image["file_name"] for image in one["images"]] != [image["file_name"] for image in other["images"]]
    assert one["categories"] == other["categories"]
    assert [category["id"] for category in one["categories"]] == list(range(1, len(one["categories"]) + 1))
