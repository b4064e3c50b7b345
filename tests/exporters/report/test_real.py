"""The report of what the embedded model says of photographs: the page counts what `segcap.json` holds."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from exporters.report.verdicts import read_verdicts
from tests import program
from tests.exporters.report.conftest import Open

EXAMPLES = Path(__file__).parents[3] / "examples"
SETS = ("coco", "voc", "ccp", "camvid", "carparts", "facade", "cocostuff", "voc2")
OF_EACH = 8


def _few(folder: Path, request: pytest.FixtureRequest) -> None:
    """Only the examples."""


def _sixty(folder: Path, request: pytest.FixtureRequest) -> None:
    data: Path = request.getfixturevalue("data_root")
    for name in SETS:
        (folder / name).mkdir()
        for path in sorted((data / name / "val" / "images").iterdir())[:OF_EACH]:
            shutil.copy(path, folder / name)


@pytest.fixture(scope="module", params=[_few, pytest.param(_sixty, marks=pytest.mark.slow)], ids=["few", "sixty"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A working folder with a finished run, its report, and a broken photograph; and how many photographs it has."""
    root = tmp_path_factory.mktemp("real")
    (root / "photos").mkdir()
    for path in EXAMPLES.iterdir():
        if path.suffix in (".jpg", ".png"):
            shutil.copy(path, root / "photos")
    request.param(root / "photos", request)
    count = sum(path.is_file() for path in (root / "photos").rglob("*"))
    (root / "photos" / "broken.jpg").write_bytes(b"no photograph")
    done = program.run_text("segcap", "photos", "-o", "out", cwd=root)
    assert done.returncode == 3, done.stderr
    done = program.run_text("report", "out", cwd=root)
    assert done.returncode == 0, done.stderr
    return root / "out", count


def test_the_page_counts_what_the_file_holds(opened: Open, run: tuple[Path, int]) -> None:
    out, count = run
    coco: dict[str, Any] = json.loads((out / "segcap.json").read_bytes())
    assert len(coco["images"]) == count
    page = opened(out / "report")
    masks = coco["annotations"]
    expect(page.locator("#found")).to_have_text(f"{count + 1} photographs, {len(masks)} masks")

    def shows(chosen: list[dict[str, Any]]) -> None:
        images = {mask["image_id"] for mask in chosen}
        words = [f"{len(images)} photograph{'s' * (len(images) != 1)}", f"{len(chosen)} mask{'s' * (len(chosen) != 1)}"]
        expect(page.locator("#found")).to_have_text(", ".join(words))
        page.locator("#clear").click()
        expect(page.locator("#found")).to_have_text(f"{count + 1} photographs, {len(masks)} masks")

    [(category, _)] = Counter(mask["category_id"] for mask in masks).most_common(1)
    names = {entry["id"]: entry["name"] for entry in coco["categories"]}
    page.locator("#category").select_option(label=names[category])
    shows([mask for mask in masks if mask["category_id"] == category])
    page.locator("#score-to").fill("0.7")
    shows([mask for mask in masks if round(mask["score"], 3) <= 0.7])
    page.locator("#name-from").fill("0.9")
    shows([mask for mask in masks if round(mask.get("name_score", -1), 3) >= 0.9])
    sizes = {image["id"]: image["width"] * image["height"] for image in coco["images"]}
    page.locator("#area-from").fill("10")
    shows([mask for mask in masks if round(mask["area"] / sizes[mask["image_id"]], 6) >= 0.1])
    page.locator("#only").select_option("failed")
    expect(page.locator("#found")).to_have_text("1 photograph, 0 masks")


def test_every_photograph_opens_and_its_phrases_light(opened: Open, run: tuple[Path, int]) -> None:
    out, count = run
    page = opened(out / "report", "#/photograph/0")
    for number in range(count):
        expect(page.locator(".bar .count")).to_contain_text(f"{number + 1} of {count + 1}")
        image = page.locator(".stage img")
        assert image.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 0
        for phrase in page.locator(".phrase").all():
            phrase.hover()
            assert page.evaluate("photograph.sides()[0].stage.state().lit.length") > 0
        page.keyboard.press("j")
    expect(page.locator(".failure")).to_contain_text("Failed in open")


def test_a_mark_leads_back_to_its_annotation(opened: Open, run: tuple[Path, int], tmp_path: Path) -> None:
    out, _ = run
    coco = json.loads((out / "segcap.json").read_bytes())
    names = {image["id"]: image["file_name"] for image in coco["images"]}
    page = opened(out / "report", "#/photograph/1")
    for node in page.locator("[role=treeitem][aria-level='2'] > .label").all():
        node.click()
        page.keyboard.press("w")
    with page.expect_download() as download:
        page.locator("#save").click()
    download.value.save_as(tmp_path / "verdicts.jsonl")
    verdicts = read_verdicts(tmp_path / "verdicts.jsonl")
    annotations = {entry["id"]: entry for entry in coco["annotations"]}
    assert verdicts
    for (name, _, _), verdict in verdicts.items():
        entry = annotations[verdict.annotation_id]
        assert (names[entry["image_id"]], entry["phrase"]) == (name, verdict.phrase)
        assert verdict.right is False
