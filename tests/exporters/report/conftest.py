"""Pages that nothing may leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from engine.records import Failure
from tests import browser as browsers
from tests.exporters.report import made

Open = Callable[..., Page]


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """Opens the report in a folder; at the end no page may have complained, or loaded anything from elsewhere."""
    pages: list[tuple[browsers.Watched, Path]] = []

    def open_report(
        folder: Path, where: str = "", *, width: int = 1280, height: int = 800, touch: bool = False
    ) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, has_touch=touch)
        context.set_default_timeout(30_000)
        watched = browsers.watched(context)
        pages.append((watched, folder))
        watched.page.goto(f"{(folder / 'index.html').as_uri()}{where}")
        watched.page.wait_for_selector("body[data-ready]")
        return watched.page

    yield open_report
    for watched, folder in pages:
        watched.page.context.close()
        assert watched.said == []
        assert watched.asked
        assert all(url.startswith((folder.as_uri(), f"blob:{folder.as_uri()[:7]}")) for url in watched.asked)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of two scenes, an odd and a hostile photograph, a scene with a hostile name, and a failure."""
    root = tmp_path_factory.mktemp("report")
    entries = [
        made.scene(made.NAMES[0]),
        made.scene(made.NAMES[1], 0.4),
        made.odd(made.NAMES[2]),
        made.hostile(made.NAMES[3]),
        made.scene(made.NAMES[4]),
    ]
    out = made.write_journal(root / "out", [*entries, Failure("broken.jpg", "decode", f"cut off {made.HOSTILE}")])
    made.write_photographs(root, 5)
    made.report(root / "report", out)
    return root / "report"
