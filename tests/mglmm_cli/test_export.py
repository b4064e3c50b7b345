"""`mglmm export FORMAT`: files that hold what segcap.json says, and one line for each thing that is wrong."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import ExifTags, Image, ImageDraw
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from engine.journal import Lock
from engine.text.names import to_text
from exporters.formats import FORMATS
from tests import program
from tests.exporters.report import made

NAMES = ("a/man.png", "b.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with a run of two photographs, which lie in photos/ by their names."""
    made.write_journal(tmp_path / "out", [made.scene(NAMES[0]), made.odd(NAMES[1])])
    for name in NAMES:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (made.WIDTH, made.HEIGHT), (90, 120, 150)).save(path)
    program.run_text("rebuild", "out", cwd=tmp_path)
    return tmp_path


def export(folder: Path, name: str, *args: str) -> tuple[Path, list[str]]:
    """Where an export lies, and what was said."""
    done = program.run_text("export", name, "out", "-o", f"x/{name}", "--photos", "photos", *args, cwd=folder)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return folder / "x" / name, done.stderr.splitlines()


def segcap(folder: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((folder / "out" / "segcap.json").read_bytes())
    return value


def drawn(outline: list[list[float]]) -> np.ndarray:
    """What an outline along the edges of pixels encloses, holes by turns: at twice the size corners are apart."""
    image = Image.new("1", (2 * made.WIDTH + 1, 2 * made.HEIGHT + 1))
    ImageDraw.Draw(image).polygon([(2 * x, 2 * y) for x, y in outline], fill=1)
    return np.asarray(image)[1::2, 1::2]


def test_coco_has_what_segcap_has(folder: Path) -> None:
    out, said = export(folder, "coco")
    assert said == [f"mglmm: 2 photographs; wrote {Path('x', 'coco')} (coco)"]
    whole = segcap(folder)
    instances = json.loads((out / "annotations" / "instances.json").read_bytes())
    for name in ("categories", "annotations", "images", "licenses"):
        assert instances[name] == whole[name]
    captions = json.loads((out / "annotations" / "captions.json").read_bytes())
    assert [entry["caption"] for entry in captions["annotations"]] == [entry["caption"] for entry in whole["captions"]]
    truth = COCO(str(out / "annotations" / "instances.json"))
    found = truth.loadRes(str(out / "annotations" / "results.json"))
    assert [entry["area"] for entry in found.anns.values()] == [entry["area"] for entry in whole["annotations"]]


def test_panoptic_pixels_have_one_thing_and_small_ones_lie_on_top(folder: Path) -> None:
    out, said = export(folder, "coco-panoptic")
    assert said[0].startswith("mglmm: coco-panoptic can't hold parts of things")
    panoptic = json.loads((out / "annotations" / "panoptic.json").read_bytes())
    scene, odd = panoptic["annotations"]
    assert odd["segments_info"] == []
    colours = np.asarray(Image.open(out / "annotations" / "panoptic" / scene["file_name"])).astype(int)
    ids = colours[..., 0] + 256 * colours[..., 1] + 65536 * colours[..., 2]
    assert {segment["id"] for segment in scene["segments_info"]} == set(np.unique(ids)) - {0}
    by_annotation = {entry["id"]: entry for entry in segcap(folder)["annotations"]}
    for segment in scene["segments_info"]:
        whole = by_annotation[segment["annotation_id"]]
        assert whole["granularity"] == "panoptic" and whole["category_id"] == segment["category_id"]
        assert np.array_equal(ids == segment["id"], coco_mask.decode(whole["segmentation"]).astype(bool))
        assert (segment["area"], segment["bbox"]) == (whole["area"], whole["bbox"])


def test_yolo_has_a_row_a_mask_and_both_splits(folder: Path) -> None:
    out, _ = export(folder, "yolo")
    data = yaml.safe_load((out / "data.yaml").read_text())
    whole = segcap(folder)
    assert list(data["names"].values()) == [entry["name"] for entry in whole["categories"]]
    assert Path(data["path"]) == out.resolve()
    images = sorted(path.relative_to(out / "images").as_posix() for path in (out / "images").rglob("*.png"))
    labels = sorted(path.relative_to(out / "labels").as_posix() for path in (out / "labels").rglob("*.txt"))
    assert [Path(name).with_suffix("") for name in images] == [Path(name).with_suffix("") for name in labels]
    assert {name.split("/")[0] for name in images} == {"train", "val"}
    [rows] = [path.read_text().splitlines() for path in (out / "labels").rglob("man.txt")]
    masks = [entry for entry in whole["annotations"] if entry["image_id"] == 1]
    assert len(rows) == len(masks)
    for row, entry in zip(rows, masks, strict=True):
        kind, *corners = row.split()
        assert data["names"][int(kind)] == whole["categories"][entry["category_id"] - 1]["name"]
        outline = np.array(corners, float).reshape(-1, 2) * [made.WIDTH, made.HEIGHT]
        assert np.array_equal(drawn(outline.round().tolist()), coco_mask.decode(entry["segmentation"]).astype(bool))


def test_labelme_lies_beside_the_photographs(folder: Path) -> None:
    out, _ = export(folder, "labelme", "--flat")
    value = json.loads((out / "a__man.json").read_bytes())
    assert (out / value["imagePath"]).is_file()
    assert (value["imageHeight"], value["imageWidth"]) == (made.HEIGHT, made.WIDTH)
    whole = segcap(folder)
    names = {entry["id"]: entry["name"] for entry in whole["categories"]}
    assert [shape["label"] for shape in value["shapes"]] == [
        names[entry["category_id"]] for entry in whole["annotations"] if entry["image_id"] == 1
    ]
    [hat] = [shape for shape in value["shapes"] if shape["label"] == "hat"]
    assert np.array_equal(drawn(hat["points"]), made.HAT)


@pytest.mark.parametrize("masks", ["rle", "polygon"])
def test_cvat_keeps_phrases_and_parents(folder: Path, masks: str) -> None:
    out, _ = export(folder, "cvat", "--masks", masks)
    root = ElementTree.parse(out / "annotations.xml").getroot()
    labels = json.loads((out / "labels.json").read_bytes())
    whole = segcap(folder)
    assert [label["name"] for label in labels] == [entry["name"] for entry in whole["categories"]]
    assert [name.text for name in root.findall("meta/task/labels/label/name")] == [label["name"] for label in labels]
    images = root.findall("image")
    assert [image.get("name") for image in images] == list(NAMES)
    by_id = {str(entry["id"]): entry for entry in whole["annotations"] if entry["image_id"] == 1}
    shapes = list(images[0])
    assert len(shapes) == len(by_id)
    for shape in shapes:
        said = {attribute.get("name"): attribute.text or "" for attribute in shape}
        entry = by_id[said["annotation_id"] or ""]
        assert said["phrase"] == entry["phrase"]
        assert said["parent"] == ("" if entry["parent"] is None else str(entry["parent"]))
        mask = np.zeros((made.HEIGHT, made.WIDTH), bool)
        if masks == "rle":
            left, top, width, height = (int(shape.get(key, "")) for key in ("left", "top", "width", "height"))
            runs = [int(run) for run in (shape.get("rle") or "").split(",")]
            values = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
            mask[top : top + height, left : left + width] = values.reshape(height, width)
        else:
            points = (shape.get("points") or "").split(";")
            mask = drawn([[float(number) for number in point.split(",")] for point in points])
        assert np.array_equal(mask, coco_mask.decode(entry["segmentation"]).astype(bool))


def test_label_studio_tasks_name_what_its_configuration_has(folder: Path) -> None:
    out, _ = export(folder, "label-studio", "--save-images")
    config = ElementTree.parse(out / "config.xml").getroot()
    labels = {label.get("value") for label in config.iter("Label")}
    tasks = json.loads((out / "tasks.json").read_bytes())
    assert tasks[0]["data"]["image"] == "/data/local-files/?d=images/a/man.png"
    assert (out / "images" / "a" / "man.png").is_file()
    regions = [region for region in tasks[0]["predictions"][0]["result"] if region["type"] == "polygonlabels"]
    entries = [entry for entry in segcap(folder)["annotations"] if entry["image_id"] == 1]
    assert [region["meta"]["text"] for region in regions] == [[entry["phrase"]] for entry in entries]
    assert {name for region in regions for name in region["value"]["polygonlabels"]} <= labels
    [first] = [region for region in regions if region["meta"]["text"] == ["A man"]]
    outline = np.array(first["value"]["points"]) / 100 * [made.WIDTH, made.HEIGHT]
    assert np.array_equal(drawn(outline.round().tolist()), made.MAN)


def test_imagefolder_rows_have_the_same_columns(folder: Path) -> None:
    out, _ = export(folder, "imagefolder")
    rows = [json.loads(line) for line in (out / "metadata.jsonl").read_bytes().splitlines()]
    assert [row["file_name"] for row in rows] == list(NAMES)
    assert rows[0].keys() == rows[1].keys() and rows[0]["objects"].keys() == rows[1]["objects"].keys()
    assert all((out / row["file_name"]).is_file() for row in rows)
    assert len(rows[0]["objects"]["bbox"]) == sum(entry["image_id"] == 1 for entry in segcap(folder)["annotations"])


@pytest.mark.parametrize("name", [format.name for format in FORMATS])
def test_once_more_changes_nothing_but_brings_up_to_date(folder: Path, name: str) -> None:
    out, _ = export(folder, name)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    victim = max(before, key=lambda path: len(before[path]) * (path.suffix in {".json", ".jsonl", ".yaml", ".xml"}))
    victim.unlink()
    export(folder, name)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_turned_photographs_are_copied_upright_or_counted(folder: Path) -> None:
    turned = Image.new("RGB", (made.HEIGHT, made.WIDTH), (10, 20, 30))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    turned.save(folder / "photos" / NAMES[1], exif=exif)
    _, said = export(folder, "coco")
    assert said[0] == (
        "mglmm: 1 photograph is stored turned (EXIF): tools that don't turn photographs show the masks in wrong "
        "places; --save-images writes upright copies"
    )
    out, _ = export(folder, "imagefolder")
    assert (out / NAMES[0]).is_symlink()
    with Image.open(out / NAMES[1]) as copy:
        assert copy.size == (made.WIDTH, made.HEIGHT)
        assert ExifTags.Base.Orientation not in copy.getexif()


def test_what_was_reviewed_as_wrong_is_left_out(folder: Path) -> None:
    lines: list[dict[str, Any]] = [
        {"file_name": NAMES[0], "segcap": 0, "seg": 1, "phrase": "two dogs", "verdict": "wrong", "annotation_id": 1},
        {"file_name": NAMES[0], "segcap": 0, "seg": 0, "phrase": "A man", "verdict": "right", "annotation_id": 2},
        {"file_name": NAMES[0], "segcap": 1, "seg": 1, "phrase": "another", "verdict": "wrong", "annotation_id": 3},
        {"file_name": NAMES[1], "segcap": None, "seg": None, "phrase": None, "verdict": "wrong", "annotation_id": None},
    ]
    (folder / "verdicts.jsonl").write_text("".join(json.dumps({**line, "note": ""}) + "\n" for line in lines))
    out, said = export(folder, "coco", "--reviewed", "verdicts.jsonl")
    assert said[-1].startswith("mglmm: verdicts.jsonl: 1 verdict counts for nothing")
    found = json.loads((out / "annotations" / "instances.json").read_bytes())
    whole = segcap(folder)
    assert [image["file_name"] for image in found["images"]] == [NAMES[0]]
    dogs = [entry for entry in whole["annotations"] if entry["phrase"] == "two dogs"]
    assert found["annotations"] == [
        entry for entry in whole["annotations"] if entry["image_id"] == 1 and entry["id"] != dogs[0]["id"]
    ]


def test_bad_usage_is_one_line(folder: Path) -> None:
    def said(*args: str) -> tuple[int, str]:
        done = program.run_text("export", *args, cwd=folder)
        return done.returncode, done.stderr

    export(folder, "coco")
    assert said("yolo", "out", "-o", "x/coco") == (
        2,
        "mglmm: x/coco holds an export as coco; choose another folder with -o\n",
    )
    assert said("coco", "out", "-o", "photos") == (2, "mglmm: photos is not empty; choose another folder with -o\n")
    code, text = said("coco", "photos", "-o", "y")
    assert code == 2 and "holds no journal.jsonl" in text and not (folder / "y").exists()
    code, text = said("coco", "out", "-o", "y", "--simplify", "2")
    assert code == 2 and "--masks polygon" in text
    code, text = said("yolo", "out", "-o", "y", "--reviewed", "photos/b.png")
    assert code == 2 and "line 1" in text and not (folder / "y").exists()


def test_photographs_that_are_gone_are_counted(folder: Path) -> None:
    os.unlink(folder / "photos" / NAMES[1])
    out, said = export(folder, "yolo")
    assert said[1].startswith("mglmm: 1 photograph was not found, so only its labels are there (b.png")
    assert len(list((out / "labels").rglob("*.txt"))) == 2


def test_what_an_export_before_had_goes_and_other_files_stay(folder: Path) -> None:
    out, _ = export(folder, "yolo")
    (out / "notes.txt").write_text("mine")
    verdict = {"file_name": NAMES[0], "segcap": None, "seg": None, "phrase": None, "verdict": "wrong", "note": ""}
    (folder / "v.jsonl").write_text(json.dumps({**verdict, "annotation_id": None}))
    _, said = export(folder, "yolo", "--reviewed", "v.jsonl")
    assert said[-1] == f"mglmm: 1 photograph; wrote {Path('x', 'yolo')} (yolo)"
    left = sorted(path.name for path in out.rglob("*") if path.is_file() and not path.name.startswith("."))
    assert left == ["b.png", "b.txt", "data.yaml", "notes.txt"]
    assert not list(out.rglob("a"))  # its folders, too


def test_a_copy_follows_its_photograph(folder: Path) -> None:
    out, _ = export(folder, "imagefolder", "--save-images")
    first = (out / NAMES[1]).stat().st_mtime_ns
    export(folder, "imagefolder", "--save-images")
    assert (out / NAMES[1]).stat().st_mtime_ns == first
    Image.new("RGB", (made.WIDTH, made.HEIGHT), (200, 20, 20)).save(folder / "photos" / NAMES[1])
    export(folder, "imagefolder", "--save-images")
    with Image.open(out / NAMES[1]) as copy:
        assert copy.getpixel((0, 0)) == (200, 20, 20)


def test_names_that_are_hard_to_write(tmp_path: Path) -> None:
    names = ("..jpg", "\U0001f697 \u2028 'a' \"b\".png", f"{'n' * 250}.png", ".mglmm-export.png")
    made.write_journal(tmp_path / "out", [made.scene(name) for name in names])
    (tmp_path / "photos").mkdir()
    for name in names:
        Image.new("RGB", (made.WIDTH, made.HEIGHT)).save(tmp_path / "photos" / name, "PNG")
    for format in FORMATS:
        export(tmp_path, format.name)
        export(tmp_path, format.name)
    assert {path.name for path in (tmp_path / "x").iterdir()} == {format.name for format in FORMATS}
    data = yaml.safe_load((tmp_path / "x" / "yolo" / "data.yaml").read_text(encoding="utf-8"))
    assert Path(data["path"]).is_dir()


def test_a_folder_that_was_killed_early_is_taken(folder: Path) -> None:
    (folder / "x" / "coco").mkdir(parents=True)
    (folder / "x" / "coco" / ".0123456789abcdef.tmp").write_bytes(b"")
    out, _ = export(folder, "coco")
    assert not list(out.glob(".*.tmp"))


def test_a_photograph_that_changed_since_the_run_is_not_taken(folder: Path) -> None:
    program.run_text("segcap", "photos", "-o", "real", "--granularity", "panoptic", "--max-new-tokens", "4", cwd=folder)
    (folder / "photos" / NAMES[1]).unlink()
    Image.new("RGB", (made.WIDTH, made.HEIGHT), (9, 9, 9)).save(folder / "photos" / NAMES[1])
    done = program.run_text("export", "yolo", "real", "-o", "y", cwd=folder)
    assert "1 photograph was not found" in done.stderr and "has changed since the run" in done.stderr
    assert [path.name for path in (folder / "y" / "images").rglob("*.png")] == ["man.png"]
    done = program.run_text("export", "yolo", "real", "-o", "y", "--photos", "photos", cwd=folder)
    assert "not found" not in done.stderr


def test_photographs_are_found_from_any_folder(folder: Path) -> None:
    how = ("--granularity", "panoptic", "--max-new-tokens", "4")
    program.run_text("segcap", "photos", "-o", "real", *how, cwd=folder)
    (folder / "elsewhere").mkdir()
    program.run_text("export", "imagefolder", folder / "real", "-o", folder / "z", cwd=folder / "elsewhere")
    assert sorted(path.name for path in (folder / "z").rglob("*.png")) == ["b.png", "man.png"]


def test_an_export_waits_for_no_other_one(folder: Path) -> None:
    export(folder, "coco")
    with Lock(folder / "x" / "coco"):
        done = program.run_text("export", "coco", "out", "-o", "x/coco", cwd=folder)
    assert done.returncode == 1 and "x/coco is in use by process" in done.stderr and "Traceback" not in done.stderr
    export(folder, "coco")
    assert not (folder / "x" / "coco" / ".lock").exists()


def test_names_that_are_no_text_are_found_below_photos(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    made.write_journal(tmp_path / "out", [made.scene(to_text(name))])
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (made.WIDTH, made.HEIGHT), (90, 120, 150)).save(tmp_path / "photos" / name)
    done = program.run_text("export", "yolo", "out", "-o", "x", "--photos", "photos", cwd=tmp_path)
    assert done.returncode == 0 and "not found" not in done.stderr
    assert len([path for path in (tmp_path / "x" / "images").rglob("*") if path.is_symlink()]) == 1
