"""The pictures of the documents, taken in a browser: the report of the examples by the embedded model, and the demo.

    python -m tests.screenshots docs/pictures

They are what the program shows at that time; nothing in them is drawn by hand.
"""

from __future__ import annotations

import argparse
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import URLError

from playwright.sync_api import Browser, Page

from tests import browser as browsers

EXAMPLES = Path(__file__).parents[1] / "examples"
SHOWN = "coffee.jpg"
NAMES = ("report.jpg", "report-gallery.jpg", "report-statistics.jpg", "report-phone.jpg", "demo.jpg")
_QUALITY = 82
_PATIENCE = 120.0  # seconds until the demo answers


def take(out: Path, browser: Browser) -> None:
    """Write the pictures into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as work:
        command = [sys.executable, "-m", "mglmm_cli", "segcap", str(EXAMPLES), "-o", "labels", "--report"]
        subprocess.run(command, cwd=work, check=True)
        _of_report(browser, Path(work, "labels", "report", "index.html").as_uri(), out)
        with _demo() as address:
            _of_demo(browser, address, out)


def _of_report(browser: Browser, address: str, out: Path) -> None:
    page = _page(browser, address, 1280, 640)
    page.set_viewport_size({"width": 1280, "height": 330})
    _save(page, out / "report-gallery.jpg")
    page.set_viewport_size({"width": 1280, "height": 640})
    page.locator(".tile", has_text=SHOWN).click()
    page.locator(".stage img").evaluate("(image) => image.decode()")
    page.locator(".phrase").first.hover()
    page.locator(".stage img").evaluate("() => new Promise(requestAnimationFrame)")
    _save(page, out / "report.jpg")
    page.keyboard.press("s")
    page.locator("#statistics h2").wait_for()
    page.screenshot(path=out / "report-statistics.jpg", type="jpeg", quality=_QUALITY, full_page=True)
    page.close()
    page = _page(browser, f"{address}#/photograph/0", 390, 844)
    page.locator(".stage img").evaluate("(image) => image.decode()")
    _save(page, out / "report-phone.jpg")
    page.close()


def _of_demo(browser: Browser, address: str, out: Path) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(address)
    page.locator("#file input[type=file]").set_input_files(EXAMPLES / SHOWN)
    page.locator("#caption .highlighted").first.wait_for(timeout=60_000)
    page.locator("#image img").first.evaluate("(image) => image.decode()")
    _save(page, out / "demo.jpg")
    page.close()


def _page(browser: Browser, address: str, width: int, height: int) -> Page:
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="light")
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    for image in page.locator(".tile img").all():
        image.evaluate("(image) => image.decode()")
    return page


def _save(page: Page, path: Path) -> None:
    page.screenshot(path=path, type="jpeg", quality=_QUALITY)


@contextmanager
def _demo() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}/"
    with subprocess.Popen([sys.executable, "-m", "mglmm_cli", "demo", "--port", str(port)]) as running:
        try:
            limit = time.monotonic() + _PATIENCE
            while not _answers(address):
                if running.poll() is not None or time.monotonic() > limit:
                    raise RuntimeError("the demo does not answer")
                time.sleep(0.2)
            yield address
        finally:
            running.send_signal(signal.SIGINT)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address):
            return True
    except URLError:
        return False


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="gets the pictures")
    folder = parser.parse_args().out
    with browsers.opened() as opened:
        take(folder, opened)
