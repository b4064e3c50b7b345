"""The report of what the embedded model says of photographs: the page counts what the journal holds."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from engine.journal import Index
from exporters.categories import category_name
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


def _masks(out: Path) -> list[dict[str, Any]]:
    """All masks of the journal, those too that are no labels in `segcap.json`."""
    with closing(Index(out / "journal.jsonl")) as journal:
        return [
            {
                "image": photograph["file_name"],
                "share": segcap["masks"][seg]["area"] / (photograph["width"] * photograph["height"]),
                "score": segcap["masks"][seg]["score"],
                "name_score": phrase.get("name_score", -1),
                "category": category_name(phrase["text"]),
            }
            for photograph in journal.photographs()
            for segcap in photograph["segcaps"]
            for phrase in segcap["phrases"]
            for seg in phrase["segs"]
        ]


def test_the_page_counts_what_the_journal_holds(opened: Open, run: tuple[Path, int]) -> None:
    out, count = run
    page = opened(out / "report")
    masks = _masks(out)
    expect(page.locator("#found")).to_have_text(f"{count + 1} photographs, {len(masks)} masks")

    def shows(chosen: list[dict[str, Any]]) -> None:
        images = {mask["image"] for mask in chosen}
        words = [f"{len(images)} photograph{'s' * (len(images) != 1)}", f"{len(chosen)} mask{'s' * (len(chosen) != 1)}"]
        expect(page.locator("#found")).to_have_text(", ".join(words))
        page.locator("#clear").click()
        expect(page.locator("#found")).to_have_text(f"{count + 1} photographs, {len(masks)} masks")

    [(category, _)] = Counter(mask["category"] for mask in masks).most_common(1)
    page.locator("#category").select_option(label=category)
    shows([mask for mask in masks if mask["category"] == category])
    page.locator("#score-to").fill("0.7")
    shows([mask for mask in masks if round(mask["score"], 3) <= 0.7])
    page.locator("#name-from").fill("0.9")
    shows([mask for mask in masks if round(mask["name_score"], 3) >= 0.9])
    page.locator("#area-from").fill("10")
    shows([mask for mask in masks if round(mask["share"], 6) >= 0.1])
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
    assert verdicts and all(verdict.right is False for verdict in verdicts.values())
    # A mask that repeats another one is no annotation, but its number is kept.
    there = [(key, verdict) for key, verdict in verdicts.items() if verdict.annotation_id in annotations]
    assert there
    for (name, _, _), verdict in there:
        entry = annotations[verdict.annotation_id]
        assert (names[entry["image_id"]], entry["phrase"]) == (name, verdict.phrase)
