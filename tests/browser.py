"""A browser for tests, and what every page of ours must not do in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str:
    """The path of Chromium. Where it is missing, tests are skipped, but fail where `CI` is set."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        reason = f"no browser: none of {', '.join(_NAMES)} is installed (Debian: apt-get install chromium)"
        if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@contextmanager
def opened() -> Iterator[Browser]:
    """A browser without a window."""
    path = find()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--enable-precise-memory-info"])
        try:
            yield browser
        finally:
            browser.close()


@dataclass(frozen=True, slots=True)
class Watched:
    """A page, and what happened in it.

    Attributes:
        said: errors, those of its console and those that nothing caught.
        asked: what it loaded, by address.
    """

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


def watched(context: BrowserContext) -> Watched:
    """A new page of a context."""
    page = context.new_page()
    seen = Watched(page)
    page.on("console", lambda message: seen.said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: seen.said.append(str(error)))
    page.on("request", lambda request: seen.asked.append(request.url))
    return seen
