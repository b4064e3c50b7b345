"""How long the page of a large run takes to be written and to open, and what memory it takes in the browser.

    python -m benchmarks.report OUT WORK [--count 10000]

OUT is an output folder of `mglmm segcap`; its photographs are taken again and again, under new names, until there are
so many. WORK gets a journal and a report. It needs Chromium, and Playwright (the extra `dev`). What is measured:

    write   photographs per second, with pictures, and megabytes on the disk
    open    from the address to the first thumbnails in place, and to the whole list being there; median of several
    memory  of the page's scripts and of its renderer process, after opening, and after walking through photographs
    search  for a word, in all captions
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, Page, sync_playwright

from engine.journal import Index, Journal, from_json
from engine.records import PhotoRecord
from mglmm_cli.folder import JOURNAL
from mglmm_cli.report import write

OPENED = 5
"""Times that the page is opened, in a new browser each."""
WALKED = (300, 1200, 2400)
"""Photographs that are looked at before memory is read again."""
_STEP = 7
"""From one to the next that is looked at, so that shards come and go."""
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MEGA = 1e6


def write_run(index: Index, folder: Path, count: int) -> None:
    """A run of `count` photographs: those of another over and over."""
    assert index.start
    folder.mkdir(parents=True)
    with Journal(folder / JOURNAL, index.start) as journal:
        journal.begin()
        for at, value in zip(range(count), _endless(index), strict=False):
            record = from_json(value)
            assert isinstance(record, PhotoRecord)
            journal.append(replace(record, file_name=f"{at:06}-{record.file_name}"), at=at, path=value.get("path"))
        journal.finish()


def _endless(index: Index) -> Iterator[dict[str, Any]]:
    for _ in itertools.count():
        yield from index.photographs()


def measure_page(folder: Path) -> dict[str, float]:
    """Seconds and megabytes of a report in the browser."""
    address = (folder / "index.html").resolve().as_uri()
    path = next(filter(None, map(shutil.which, _NAMES)))
    first, whole = [], []
    with sync_playwright() as playwright:
        for turn in range(OPENED):
            browser = playwright.chromium.launch(executable_path=path, args=["--enable-precise-memory-info"])
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            begun = time.perf_counter()
            page.goto(address, wait_until="commit")
            page.wait_for_selector(".tile img")
            page.locator(".tile img").first.evaluate("(image) => image.decode()")
            first.append(time.perf_counter() - begun)
            page.wait_for_selector("body[data-ready]")
            whole.append(time.perf_counter() - begun)
            if turn < OPENED - 1:
                browser.close()
        found = {"open_first_s": statistics.median(first), "open_whole_s": statistics.median(whole)}
        session = page.context.new_cdp_session(page)
        found["heap_open_mb"], found["renderer_open_mb"] = _heap(session), _resident(page)
        count = page.evaluate("data.overview.photographs")
        for walked in range(1, max(WALKED) + 1):
            number = walked * _STEP % count
            page.evaluate(f"location.hash = '#/photograph/{number}'")
            page.locator(".bar .count", has_text=f"· {number + 1} of ").wait_for()
            if walked in WALKED:
                found[f"heap_{walked}_mb"], found[f"renderer_{walked}_mb"] = _heap(session), _resident(page)
        page.goto(f"{address}#/")
        every = page.locator("#found").inner_text()
        begun = time.perf_counter()
        page.locator("#query").fill("person")
        page.locator("#found").filter(has_text="mask").filter(has_not_text=every).wait_for()
        found["search_s"] = time.perf_counter() - begun
        browser.close()
    return found


def _heap(session: CDPSession) -> float:
    session.send("HeapProfiler.collectGarbage")
    usage: dict[str, float] = session.send("Runtime.getHeapUsage")
    return (usage["usedSize"] + usage.get("backingStorageSize", 0.0)) / _MEGA


def _resident(page: Page) -> float:
    """Resident memory of the largest renderer process, on Linux."""
    session = page.context.browser.new_browser_cdp_session() if page.context.browser else None
    assert session
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    sizes = [_status(process["id"]) for process in processes if process["type"] == "renderer"]
    return max(sizes, default=0.0)


def _status(process: int) -> float:
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    kilobytes = next((int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0)
    return kilobytes * 1024 / _MEGA


def main() -> None:
    """Measure, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="output folder of mglmm segcap")
    parser.add_argument("work", type=Path, help="gets a journal and the report")
    parser.add_argument("--count", type=int, default=10_000, help="photographs")
    options = parser.parse_args()
    index = Index(options.out / JOURNAL)
    write_run(index, options.work / "run", options.count)
    index.close()
    index = Index(options.work / "run" / JOURNAL)
    begun = time.perf_counter()
    write([index], [options.work / "run"], options.work / "report")
    seconds = time.perf_counter() - begun
    index.close()
    size = sum(path.stat().st_size for path in (options.work / "report").rglob("*") if path.is_file())
    print(f"{'written_per_s':20}{options.count / seconds:10.1f}")
    print(f"{'report_mb':20}{size / _MEGA:10.1f}")
    for name, value in measure_page(options.work / "report").items():
        print(f"{name:20}{value:10.2f}", flush=True)


if __name__ == "__main__":
    main()
