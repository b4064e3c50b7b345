"""Ten thousand photographs: what is in memory does not grow with them, and all is found."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.exporters.report import made
from tests.exporters.report.conftest import Open

COUNT = 10_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run of scenes, each thousandth of which is odd."""
    root = tmp_path_factory.mktemp("large")
    names = [f"{at}.jpg" for at in range(COUNT)]
    entries = (
        made.odd(name) if at % 1000 == 999 else made.scene(name, at % 100 / 100) for at, name in enumerate(names)
    )
    out = made.write_journal(root / "out", entries)
    written = made.report(root / "report", out)
    assert written.photographs == written.unseen == COUNT
    return root / "report"


def test_little_is_in_the_document_and_in_memory(opened: Open, folder: Path) -> None:
    page = opened(folder)
    expect(page.locator("#found")).to_have_text("10,000 photographs, 59,950 masks")
    assert 0 < page.locator(".tile").count() < 150
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(page.locator(f".tile[aria-posinset='{COUNT}']")).to_be_visible()
    assert page.locator(".tile").count() < 150
    page.keyboard.press("j")
    for number in range(0, COUNT, 250):
        page.goto(f"{page.url.split('#')[0]}#/photograph/{number}")
        expect(page.locator(".bar .title")).to_have_text(f"{number}.jpg")
    assert page.evaluate("data.kept()") <= 6
    # Scripts go once they have run.
    assert page.locator("script[src^='data/']").count() == 1


def test_filters_and_search_look_at_all(opened: Open, folder: Path) -> None:
    page = opened(folder)
    page.locator("#only").select_option("truncated")
    expect(page.locator("#found")).to_have_text("10 photographs, 10 masks")
    page.locator("#clear").click()
    page.locator("#query").fill("zebra")
    expect(page.locator("#found")).to_have_text("10 photographs, 10 masks")
    page.locator("#query").fill("9998.jpg")
    expect(page.locator("#found")).to_have_text("1 photograph, 6 masks")
    page.locator("#clear").click()
    page.locator("#order").select_option("mask")
    expect(page.locator(".tile .name").first).to_have_text("0.jpg")
    expect(page.locator(".tile .name").nth(1)).to_have_text("100.jpg")
