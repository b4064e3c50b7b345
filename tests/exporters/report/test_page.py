"""The page in a browser: what people see, press and save."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from engine.masks import rle
from engine.records import Failure, Parent, PhotoRecord
from exporters.report.verdicts import read_verdicts
from tests.exporters.report import made
from tests.exporters.report.conftest import Open

NAMES = ("a/man.jpg", "b.jpg", "odd.jpg", "hostile.jpg", f"{made.HOSTILE.replace('/', '_')}.jpg")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of two scenes, an odd and a hostile photograph, a scene with a hostile name, and a failure."""
    root = tmp_path_factory.mktemp("report")
    entries = [
        made.scene(NAMES[0]),
        made.scene(NAMES[1], 0.4),
        made.odd(NAMES[2]),
        made.hostile(NAMES[3]),
        made.scene(NAMES[4]),
    ]
    out = made.write_journal(root / "out", [*entries, Failure("broken.jpg", "decode", f"cut off {made.HOSTILE}")])
    made.write_photographs(root, 5)
    made.report(root / "report", out)
    return root / "report"


def found(page: Page) -> str:
    return page.locator("#found").inner_text()


def lit(page: Page) -> list[int]:
    segs: list[int] = page.evaluate("photograph.sides()[0].stage.state().lit")
    return segs


def colour_at(page: Page, x: float, y: float) -> list[int]:
    """The colour, with alpha, that the masks have at a place of the frame."""
    code = "([x, y]) => [...document.querySelector('.stage canvas').getContext('2d').getImageData(x, y, 1, 1).data]"
    pixel: list[int] = page.evaluate(code, [x, y])
    return pixel


def at(page: Page, x: float, y: float) -> None:
    """Move the pointer to a place of the frame, in pixels of the photograph."""
    box = page.locator(".stage canvas").bounding_box()
    assert box
    page.mouse.move(
        box["x"] + (x + 0.5) * box["width"] / made.WIDTH, box["y"] + (y + 0.5) * box["height"] / made.HEIGHT
    )


def test_the_gallery_shows_all(opened: Open, folder: Path) -> None:
    page = opened(folder)
    assert found(page) == "6 photographs, 21 masks"
    expect(page.locator(".tile")).to_have_count(6)
    expect(page.locator(".tile .name").nth(0)).to_have_text(NAMES[0])
    expect(page.locator(".tile .badge.bad")).to_have_text("failed")
    for image in page.locator(".tile img").all():
        assert image.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == made.WIDTH


def test_a_phrase_lights_its_mask_and_a_mask_its_phrase(opened: Open, folder: Path) -> None:
    page = opened(folder, "#/photograph/0")
    man, dogs = page.locator(".phrase").nth(0), page.locator(".phrase").nth(1)
    man.hover()
    assert lit(page) == [0]
    expect(man).to_have_class("phrase leads lit")
    assert colour_at(page, 20, 30)[3] > colour_at(page, 52, 40)[3] > 0
    dogs.hover()
    assert lit(page) == [1, 2]
    assert colour_at(page, 20, 30)[3] < colour_at(page, 52, 40)[3]
    at(page, 20, 30)
    assert lit(page) == [0]
    expect(man).to_have_class("phrase leads lit")
    at(page, 70, 40)
    assert lit(page) == [2]
    expect(dogs).to_have_class("phrase lit")
    at(page, 1, 1)
    assert lit(page) == []
    dogs.focus()
    assert lit(page) == [1, 2]


def test_masks_in_the_page_are_those_of_the_journal(opened: Open, folder: Path) -> None:
    page = opened(folder, "#/photograph/0")
    for pixels in (made.MAN, made.HAT, made.DOG, made.block(0, 0, 0, 0), made.block(0, 0, made.HEIGHT, made.WIDTH)):
        [coded] = rle.encode(pixels[None])
        drawn = page.evaluate(
            "([counts, h, w]) => [...masks.pixels(counts, h, w)]", [coded.counts, coded.height, coded.width]
        )
        assert drawn == pixels.ravel().astype(int).tolist()
    # A part shows on its whole.
    top = page.evaluate("photograph.sides()[0].stage.state().top(20, 30)")
    assert top == 0


def test_the_tree_is_walked_with_the_pointer(opened: Open, folder: Path) -> None:
    page = opened(folder, "#/photograph/0")
    levels = [node.get_attribute("aria-level") for node in page.locator("[role=treeitem]").all()]
    assert levels == ["1", "2", "3", "3", "3", "2", "2"]
    page.locator(".phrase").nth(0).dblclick()
    expect(page.locator(".caption")).to_have_text("The man wears a red hat and a coat.")
    expect(page.locator(".trail")).to_have_text("Whole scene › A man")
    page.locator("[role=treeitem]").nth(4).locator(".label").first.click()
    expect(page.locator(".details")).to_contain_text("repeats a mask before it")
    expect(page.locator(".details")).to_contain_text("annotation 6")
    page.locator(".trail button").click()
    expect(page.locator(".caption")).to_have_text("A man walks two dogs.")


def test_all_of_it_by_keyboard(opened: Open, folder: Path) -> None:
    page = opened(folder)
    press = page.keyboard.press
    press("j")
    press("ArrowRight")
    expect(page.locator(":focus")).to_have_attribute("href", "#/photograph/1")
    press("Home")
    press("Enter")
    expect(page.locator(".caption")).to_have_text("A man walks two dogs.")
    press("t")
    assert lit(page) == [0]
    press("Tab")
    assert lit(page) == [1, 2]
    press("Shift+Tab")
    press("Enter")
    expect(page.locator(".caption")).to_have_text("The man wears a red hat and a coat.")
    assert lit(page) == [0]
    press("Backspace")
    expect(page.locator(".caption")).to_have_text("A man walks two dogs.")
    page.locator("[role=treeitem]").first.focus()
    press("ArrowDown")
    press("ArrowDown")
    press("ArrowDown")
    expect(page.locator(".caption")).to_have_text("The man wears a red hat and a coat.")
    assert lit(page) == [1]
    press("ArrowLeft")
    press("ArrowLeft")
    expect(page.locator("[role=treeitem]").nth(1)).to_have_attribute("aria-expanded", "false")
    press("ArrowDown")
    assert lit(page) == [1]
    press("Escape")
    assert lit(page) == []
    press("j")
    expect(page.locator(".bar .title")).to_have_text(NAMES[1])
    press("m")
    assert colour_at(page, 20, 30)[3] == 0
    press("m")
    press("k")
    expect(page.locator(".bar .title")).to_have_text(NAMES[0])
    press("s")
    expect(page.locator("#statistics h2")).to_be_visible()
    press("?")
    expect(page.locator("#help")).to_be_visible()
    press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    press("/")
    expect(page.locator("#query")).to_be_focused()
    page.keyboard.type("red hat")
    expect(page.locator("#found")).to_have_text("3 photographs, 18 masks")
    press("Escape")
    press("j")
    expect(page.locator(":focus")).to_have_attribute("href", "#/photograph/0")


@pytest.mark.parametrize(
    ("chosen", "photographs", "masks"),
    [
        ({"only": "again"}, 3, 3),
        ({"only": "empty"}, 1, 1),
        ({"only": "truncated"}, 1, 1),
        ({"only": "failed"}, 1, 0),
        ({"only": "unmarked"}, 6, 21),
        ({"category": "dogs"}, 3, 6),
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
    ],
)  # fmt: skip
def test_filters(opened: Open, folder: Path, chosen: dict[str, str], photographs: int, masks: int) -> None:
    page = opened(folder)
    for name, value in chosen.items():
        field = page.locator(f"#{name}")
        if name in ("only", "category"):
            field.select_option(label=value) if name == "category" else field.select_option(value)
        else:
            field.fill(value)
    words = f"{photographs} photograph{'s' * (photographs != 1)}, {masks} mask{'s' * (masks != 1)}"
    expect(page.locator("#found")).to_have_text(words)
    expect(page.locator(".tile")).to_have_count(photographs)
    page.locator("#clear").click()
    expect(page.locator("#found")).to_have_text("6 photographs, 21 masks")


def test_the_least_sure_come_first(opened: Open, folder: Path) -> None:
    page = opened(folder)
    page.locator("#order").select_option("sure")
    expect(page.locator(".tile .name").first).to_have_text(NAMES[1])
    page.locator("#order").select_option("most")
    expect(page.locator(".tile .name").first).to_have_text(NAMES[0])
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
        ("b.jpg", 0, 1): (False, 8, "two dogs"),
        ("b.jpg", 0, 2): (False, 9, "two dogs"),
        ("b.jpg", 1, 1): (True, 11, "a red hat"),
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
        "file_name": NAMES[0],
        "annotation_id": 1,
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


@pytest.mark.parametrize("number", range(6))
def test_texts_are_never_markup(opened: Open, folder: Path, number: int) -> None:
    page = opened(folder, f"#/photograph/{number}")
    page.locator(".bar .title").wait_for()
    for node in page.locator(".phrase").all():
        node.focus()
    page.keyboard.press("s")
    page.locator("#statistics h2").wait_for()
    page.keyboard.press("g")
    page.locator(".tile").first.wait_for()
    assert page.evaluate("document.body.dataset.hacked") is None
    assert page.evaluate("document.querySelectorAll('img[src=x], main script').length") == 0


def test_a_hostile_answer_stands_there_as_text(opened: Open, folder: Path) -> None:
    page = opened(folder, "#/photograph/3")
    text = page.locator(".caption").text_content()
    assert text == f"\U0001f600 {made.HOSTILE} {made.BACKWARDS} {'x' * 10_000} </script> </b>"
    assert page.locator(".phrase").first.text_content() == made.HOSTILE
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # What runs backwards does so inside its own box.
    assert page.evaluate("getComputedStyle(document.querySelector('.caption bdi')).unicodeBidi") == "isolate"
    page = opened(folder, "#/photograph/4")
    expect(page.locator(".bar .title")).to_have_text(NAMES[4])
    page = opened(folder, "#/photograph/5")
    expect(page.locator(".failure")).to_have_text(f"Failed in decode: cut off {made.HOSTILE}")


def test_what_goes_wrong_is_shown(opened: Open, folder: Path) -> None:
    page = opened(folder, "#/photograph/2")
    expect(page.locator(".caption")).to_contain_text("cut at the length limit")
    expect(page.locator(".phrase")).to_have_text("(no phrase)")
    expect(page.locator(".tree .warn")).to_have_text(["cut", "no pixel"])
    page.locator("[role=treeitem]").last.locator(".label").click()
    expect(page.locator(".caption .nothing")).to_have_text("zebra")


def test_answers_that_lead_nowhere(opened: Open, tmp_path: Path) -> None:
    """A photograph without an answer, and one whose only answer is about a mask of its own."""
    record = made.scene("b.png")
    circle = replace(record.segcaps[0], parent=Parent(0, 0))
    entries = [PhotoRecord("a.png", made.WIDTH, made.HEIGHT), replace(record, segcaps=(circle,))]
    made.report(tmp_path / "report", made.write_journal(tmp_path / "out", entries))
    for number in range(2):
        page = opened(tmp_path / "report", f"#/photograph/{number}")
        expect(page.locator(".bar .title")).to_have_text("ab"[number] + ".png")
        page.locator(".stage canvas").hover()
        for key in ("t", "Backspace", "r", "Escape"):
            page.keyboard.press(key)
    expect(page.locator(".tile")).to_have_count(2)


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


@pytest.mark.parametrize("where", ["", "#/photograph/0", "#/photograph/3", "#/photograph/5", "#/statistics"])
def test_a_phone(opened: Open, folder: Path, where: str) -> None:
    page = opened(folder, where, width=360, height=740, touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    if where == "#/photograph/0":
        page.locator(".phrase").nth(1).tap()
        assert lit(page) == [1, 2]
        page.locator(".step[aria-label=Next]").tap()
        expect(page.locator(".bar .title")).to_have_text(NAMES[1])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_can_be_read(browser: Browser, folder: Path, scheme: str) -> None:
    """Contrast of text on its ground, by WCAG 2.2 at least 4.5."""
    page = browser.new_page(color_scheme="dark" if scheme == "dark" else "light")
    page.goto((folder / "index.html").as_uri())
    page.wait_for_selector("body[data-ready]")
    code = """() => {
      const style = getComputedStyle(document.documentElement), canvas = new OffscreenCanvas(1, 1).getContext("2d");
      const shade = (name) => {
        const probe = document.createElement("i"); probe.style.color = `var(--${name})`; document.body.append(probe);
        canvas.fillStyle = getComputedStyle(probe).color; canvas.fillRect(0, 0, 1, 1); probe.remove();
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
      };
      const names = ["ground", "panel", "text", "muted", "accent", "bad", "good"];
      return Object.fromEntries(names.map((name) => [name, shade(name)]));
    }"""
    shades: dict[str, list[int]] = page.evaluate(code)
    page.close()

    def light(rgb: list[int]) -> float:
        linear = [v / 255 / 12.92 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in rgb]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for ground in ("ground", "panel"):
        for name in ("text", "muted", "accent", "bad", "good"):
            low, high = sorted((light(shades[ground]), light(shades[name])))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (ground, name)


def test_a_folder_that_was_copied_in_part_says_so(browser: Browser, folder: Path, tmp_path: Path) -> None:
    part = shutil.copytree(folder, tmp_path / "part")
    (part / "data" / "list-0.js").unlink()
    page = browser.new_page()
    page.goto((part / "index.html").as_uri())
    expect(page.locator("#found")).to_have_text("data/list-0.js is missing: was the whole folder copied?")
    (part / "data" / "overview-0.js").unlink()
    page.reload()
    expect(page.locator("#title")).to_have_text("data/overview-0.js is missing: was the whole folder copied?")
    page.close()


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
    row = page.locator(".categories li", has_text="dogs")
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
