"""Which photographs the page shows, what is marked in it, and several runs at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from exporters.report.verdicts import read_verdicts
from tests.exporters.report import made
from tests.exporters.report.conftest import Open

CASES: tuple[tuple[dict[str, str], int, int], ...] = (
    ({"only": "again"}, 3, 3),
    ({"only": "empty"}, 1, 1),
    ({"only": "truncated"}, 1, 1),
    ({"only": "failed"}, 1, 0),
    ({"only": "unmarked"}, 6, 21),
    ({"category": "dog"}, 3, 6),
    ({"score-to": "0.65"}, 4, 8),
    ({"score-from": "0.61", "score-to": "0.65"}, 3, 3),
    ({"name-from": "0.5"}, 3, 8),
    ({"name-to": "0.45"}, 1, 1),
    ({"area-from": "30"}, 4, 10),
    ({"area-from": "3", "area-to": "5"}, 3, 3),
    ({"category": "man", "score-to": "0.5"}, 1, 1),
    ({"query": "TWO dogs"}, 3, 18),
    ({"query": "broken cut"}, 1, 0),
    ({"query": "hat", "score-to": "0.5"}, 1, 1),
    ({"query": "nowhere"}, 0, 0),
)  # fmt: skip
"""What is asked for, and how many photographs and masks there are of it."""


def test_filters(opened: Open, folder: Path) -> None:
    page = opened(folder)
    for chosen, photographs, masks in CASES:
        for name, value in chosen.items():
            field = page.locator(f"#{name}")
            if name == "category":
                field.select_option(label=value)
            elif name == "only":
                field.select_option(value)
            else:
                field.fill(value)
        words = f"{photographs} photograph{'s' * (photographs != 1)}, {masks} mask{'s' * (masks != 1)}"
        expect(page.locator("#found"), str(chosen)).to_have_text(words)
        expect(page.locator(".tile"), str(chosen)).to_have_count(photographs)
        page.locator("#clear").click()
        expect(page.locator("#found")).to_have_text("6 photographs, 21 masks")


def test_the_least_sure_come_first(opened: Open, folder: Path) -> None:
    page = opened(folder)
    page.locator("#order").select_option("sure")
    expect(page.locator(".tile .name").first).to_have_text(made.NAMES[1])
    page.locator("#order").select_option("most")
    expect(page.locator(".tile .name").first).to_have_text(made.NAMES[0])
    page.locator("#order").select_option("sure")
    page.locator(".tile a").first.click()
    page.keyboard.press("j")
    # That is the order in which one goes on.
    expect(page.locator(".bar .count")).to_contain_text("2 of 6")


def test_verdicts_are_kept_saved_and_read(opened: Open, folder: Path, tmp_path: Path) -> None:
    page = opened(folder, "#/photograph/1")
    press = page.keyboard.press
    press("r")
    page.locator(".phrase").nth(1).click()
    press("w")
    press("n")
    page.keyboard.type('cats, not dogs \u2028 "é"')
    press("Enter")
    press("Escape")
    page.locator("[role=treeitem]").nth(3).locator(".label").click()
    press("r")
    expect(page.locator("#marked")).to_have_text("4 verdicts, not saved")
    with page.expect_download() as download:
        page.locator("#save").click()
    saved = tmp_path / "verdicts.jsonl"
    download.value.save_as(saved)
    assert download.value.suggested_filename == "verdicts.jsonl"
    verdicts = read_verdicts(saved)
    assert {place: (verdict.right, verdict.annotation_id, verdict.phrase) for place, verdict in verdicts.items()} == {
        ("b.jpg", None, None): (True, None, None),
        ("b.jpg", 0, 1): (False, 2_000_200, "two dogs"),
        ("b.jpg", 0, 2): (False, 2_000_300, "two dogs"),
        ("b.jpg", 1, 1): (True, 2_000_500, "a red hat"),
    }
    assert verdicts["b.jpg", 0, 1].note == 'cats, not dogs \u2028 "é"'
    expect(page.locator("#marked")).to_have_text("4 verdicts")
    # The same once more takes it away; a reload does not.
    press("r")
    page.reload()
    page.wait_for_selector("body[data-ready]")
    expect(page.locator("#marked")).to_have_text("3 verdicts")
    page.goto(page.url.replace("#/photograph/1", "#/"))
    page.locator("#only").select_option("wrong")
    expect(page.locator("#found")).to_have_text("1 photograph, 6 masks")
    expect(page.locator(".tile .mark")).to_have_text("✗")


def test_saved_verdicts_are_loaded_again(opened: Open, folder: Path, tmp_path: Path) -> None:
    page = opened(folder)
    line = {
        "file_name": made.NAMES[0],
        "annotation_id": 1_000_100,
        "segcap": 0,
        "seg": 0,
        "phrase": "A man",
        "verdict": "wrong",
        "note": "no",
    }
    saved = tmp_path / "before.jsonl"
    saved.write_text(f"{json.dumps(line)}\nnot JSON\n{json.dumps(line | {'verdict': 'perhaps'})}\n")
    page.locator("#load").set_input_files(saved)
    expect(page.locator("#marked")).to_have_text("1 verdict loaded; 2 lines of the file are none")
    page.goto(f"{page.url.split('#')[0]}#/photograph/0")
    page.locator(".phrase").first.click()
    expect(page.locator("#wrong")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#note")).to_have_value("no")


def test_marking_what_is_not_marked(opened: Open, folder: Path) -> None:
    page = opened(folder)
    page.locator("#only").select_option("unmarked")
    page.locator(".tile a").first.click()
    expect(page.locator(".bar .count")).to_contain_text("1 of 6")
    page.keyboard.press("r")
    # It goes on in the same order, and what is marked is gone on the way back.
    page.keyboard.press("j")
    expect(page.locator(".bar .count")).to_contain_text("2 of 6")
    page.keyboard.press("g")
    expect(page.locator("#found")).to_have_text("5 photographs, 15 masks")
    page.locator(".tile a").first.click()
    expect(page.locator(".bar .count")).to_contain_text("1 of 5")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of two runs: twenty scenes, and three of them with something else."""
    root = tmp_path_factory.mktemp("two")
    first = made.write_journal(root / "first", (made.scene(f"{at}.jpg") for at in range(20)))
    second = made.write_journal(root / "<b>second<b>", [made.scene("3.jpg", 0.2), made.odd("4.jpg")], finished=False)
    made.report(root / "report", first, second)
    return root / "report"


def test_runs_stand_side_by_side(opened: Open, two: Path) -> None:
    page = opened(two, "#/photograph/3")
    expect(page.locator(".side h2")).to_have_text(["first", "<b>second<b>"])
    expect(page.locator("#notes p")).to_have_text(
        [
            "<b>second<b>: the run is not finished; photographs so far: 2",
            "20 of 20 photographs were not where they had been when this page was made: their masks are shown on grey. "
            "mglmm report --photos DIR says where they lie.",
        ]
    )
    expect(page.locator(".stage.grey")).to_have_count(2)
    # Only the first one is marked.
    page.locator(".side").nth(1).locator(".phrase").first.click()
    expect(page.locator("#about")).to_have_text("The photograph is")
    page.locator(".side").nth(0).locator(".phrase").first.click()
    expect(page.locator("#about")).to_have_text("A man is")
    page.goto(page.url.replace("/3", "/7"))
    expect(page.locator(".side").nth(1)).to_contain_text("This run has nothing about it.")
    page.goto(f"{page.url.split('#')[0]}#/")
    page.locator("#run").select_option(label="<b>second<b>")
    expect(page.locator("#found")).to_have_text("2 photographs, 7 masks")
    page.locator("#score-to").fill("0.3")
    expect(page.locator("#found")).to_have_text("2 photographs, 2 masks")


def test_statistics_count_all_and_lead_to_photographs(opened: Open, two: Path) -> None:
    page = opened(two, "#/statistics")
    expect(page.locator("#statistics th[scope=col]")).to_have_text(["first", "<b>second<b>"])
    row = page.locator(".categories li", has_text="dog")
    expect(row.locator(".number")).to_have_text("40 / 2")
    expect(page.locator("figcaption")).to_have_text(
        ["Mask scores", "Name scores", "Areas, as a share of the photograph", "Photographs per second"]
    )
    # Masks of 0.9 in the bin from 0.9 on: a man and one of his own in each of 21 scenes, but for one that is 0.2.
    told = page.locator("figure").first.locator("rect title").all_text_contents()
    assert "first: 40 masks, 0.90 to 0.95" in told and "<b>second<b>: 1 masks, 0.90 to 0.95" in told
    row.locator("button").click()
    expect(page.locator("#found")).to_have_text("20 photographs, 42 masks")
    page.keyboard.press("s")
    expect(page.locator("#statistics")).to_be_visible()
