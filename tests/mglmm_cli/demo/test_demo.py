"""The demo in a browser: a photograph is dropped, a phrase clicked; what is broken or hostile is a line of text."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import browser as browsers
from tests import program

EXAMPLES = Path(__file__).parents[3] / "examples"
HOSTILE = "<img src=x onerror='document.body.dataset.hacked=1'>"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the demo answers; at the end it is interrupted."""
    port = free_port()
    folder = tmp_path_factory.mktemp("demo")
    running = program.Run(folder, ["demo", "--port", str(port), "--model", "nano"], partial(_temporary_in, folder))
    assert running.wait_until(lambda: "the demo is at" in running.errors), running.errors
    assert running.errors == f"mglmm: the demo is at http://127.0.0.1:{port}/ (Ctrl-C ends it)\n"
    yield f"http://127.0.0.1:{port}/"
    assert running.process.pid
    os.kill(running.process.pid, signal.SIGINT)
    assert running.wait() == 130
    assert "Traceback" not in running.errors
    # Photographs that were dropped are gone.
    assert sorted(path.name for path in folder.iterdir()) == ["stderr.log", "stdout.log"]


def _temporary_in(folder: Path) -> None:
    tempfile.tempdir = str(folder)


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context()
    watched = browsers.watched(context)
    watched.page.set_default_timeout(60_000)
    watched.page.goto(address)
    watched.page.locator("#ask").wait_for()
    yield watched.page
    assert watched.page.evaluate("document.body.dataset.hacked") is None
    context.close()
    elsewhere = [url for url in watched.asked if not url.startswith((address, "data:", "blob:"))]
    assert elsewhere == []


def drop(page: Page, path: Path) -> None:
    page.locator("#file input[type=file]").set_input_files(path)


def trail(page: Page, text: str) -> None:
    expect(page.locator("#trail").get_by_role("textbox")).to_have_value(text, timeout=60_000)


def said(page: Page, text: str | re.Pattern[str]) -> None:
    expect(page.locator("#said").get_by_role("textbox")).to_have_value(text, timeout=60_000)


def test_a_photograph_is_dropped_and_a_phrase_clicked(page: Page) -> None:
    drop(page, EXAMPLES / "astronaut.jpg")
    trail(page, "The whole scene")
    phrase = page.locator("#caption .highlighted").first
    name = phrase.locator(".text").inner_text()
    # The picture has the same phrases, by the same numbers.
    expect(page.locator("#image")).to_contain_text(f"1 {name}")
    scene = page.locator("#caption").inner_text()
    phrase.click()
    trail(page, f"The whole scene › {name}")
    assert page.locator("#caption").inner_text() != scene
    page.locator("#back").click()
    trail(page, "The whole scene")
    assert page.locator("#caption").inner_text() == scene
    page.locator("#back").click()
    trail(page, "The whole scene")


def test_an_object_and_an_instruction(page: Page) -> None:
    drop(page, EXAMPLES / "astronaut.jpg")
    trail(page, "The whole scene")
    page.locator("#kind").get_by_text("One object").click()
    page.locator("#text").get_by_role("textbox").fill("the person")
    page.locator("#ask").click()
    trail(page, "the person")
    expect(page.locator("#caption")).to_contain_text(re.compile("person", re.IGNORECASE))
    page.locator("#kind").get_by_text("My own instruction").click()
    page.locator("#text").get_by_role("textbox").fill(f"Segment the person. {HOSTILE}")
    page.locator("#ask").click()
    trail(page, f"Segment the person. {HOSTILE}")
    page.locator("#text").get_by_role("textbox").fill(" ")
    page.locator("#ask").click()
    said(page, "say which object, or what to do")


def test_files_that_are_no_photographs(page: Page, tmp_path: Path) -> None:
    page.locator("#ask").click()
    said(page, "drop a photograph first")
    broken = tmp_path / f"{HOSTILE.replace('/', '_')}.jpg"
    broken.write_bytes((EXAMPLES / "coffee.jpg").read_bytes()[:2000])
    drop(page, broken)
    said(page, re.compile("^this can't be used as a photograph: decode: "))
    page.locator("#file").get_by_label("Clear").or_(page.locator("#file [aria-label='Remove this file']")).first.click()
    text = tmp_path / "notes.txt"
    text.write_text("no photograph")
    drop(page, text)
    said(page, re.compile("^this can't be used as a photograph: open: "))
    # It goes on afterwards.
    page.locator("#file").get_by_label("Clear").or_(page.locator("#file [aria-label='Remove this file']")).first.click()
    drop(page, EXAMPLES / "coffee.jpg")
    trail(page, "The whole scene")
    said(page, "")


def test_a_file_that_is_too_large_is_refused_at_the_door(page: Page, tmp_path: Path) -> None:
    large = tmp_path / f"{HOSTILE.replace('/', '_')}.jpg"
    with large.open("wb") as file:
        file.truncate(101 << 20)
    drop(page, large)
    expect(page.locator("[data-testid=toast-body]")).to_contain_text("exceed the maximum allowed size")
    said(page, "")


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = program.run_text("demo", "--port", str(port), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"mglmm: 127.0.0.1:{port}: address already in use: choose another with --port or --host\n"


def test_an_address_that_is_none(tmp_path: Path) -> None:
    done = program.run_text("demo", "--host", "no.such.host.invalid", cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("mglmm: no.such.host.invalid:7860: ")


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    done = program.run_text("demo", "--model", "nowhere", "--port", str(free_port()), cwd=tmp_path)
    assert done.returncode == 2 and "no model 'nowhere'" in done.stderr and done.stderr.count("\n") == 1


def _without_gradio() -> None:
    sys.modules["gradio"] = None  # type: ignore[assignment]  # what Python takes for a module that is not there


def test_without_gradio_it_says_what_to_install(tmp_path: Path) -> None:
    going = program.Run(tmp_path, ["demo"], _without_gradio)
    assert going.wait() == 2
    assert going.errors == "mglmm: the demo needs Gradio: pip install 'mglmm[demo]'\n"
