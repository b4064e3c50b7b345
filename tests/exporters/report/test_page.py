"""The page in a browser: what people see, press and save."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from engine.masks import rle
from engine.records import Parent, PhotoRecord
from tests.exporters.report import made
from tests.exporters.report.conftest import Open


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
    expect(page.locator(".tile .name").nth(0)).to_have_text(made.NAMES[0])
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
    expect(page.locator(".details")).to_contain_text("annotation 1000600")
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
    expect(page.locator(".bar .title")).to_have_text(made.NAMES[1])
    press("m")
    assert colour_at(page, 20, 30)[3] == 0
    press("m")
    press("k")
    expect(page.locator(".bar .title")).to_have_text(made.NAMES[0])
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


def test_texts_are_never_markup(opened: Open, folder: Path) -> None:
    page = opened(folder)
    for number in range(6):
        page.evaluate(f"location.hash = '#/photograph/{number}'")
        expect(page.locator(".bar .count")).to_contain_text(f"{number + 1} of 6")
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
    expect(page.locator(".bar .title")).to_have_text(made.NAMES[4])
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


@pytest.mark.parametrize("where", ["", "#/photograph/0", "#/photograph/3", "#/photograph/5", "#/statistics"])
def test_a_phone(opened: Open, folder: Path, where: str) -> None:
    page = opened(folder, where, width=360, height=740, touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    if where == "#/photograph/0":
        page.locator(".phrase").nth(1).tap()
        assert lit(page) == [1, 2]
        page.locator(".step[aria-label=Next]").tap()
        expect(page.locator(".bar .title")).to_have_text(made.NAMES[1])


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
