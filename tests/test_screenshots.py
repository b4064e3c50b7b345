"""The pictures of the documents can be taken anew, and are those that the documents show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser

from tests import screenshots

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.slow
def test_all_pictures_are_taken(tmp_path: Path, browser: Browser) -> None:
    screenshots.take(tmp_path, browser)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(screenshots.NAMES)
    for path in tmp_path.iterdir():
        with Image.open(path) as taken, Image.open(DOCS / "pictures" / path.name) as shown:
            assert taken.width == shown.width
            # Not one colour: something is to be seen.
            assert len(set(taken.resize((64, 64)).getdata())) > 500


def test_the_documents_show_them() -> None:
    texts = "".join(path.read_text(encoding="utf-8") for path in (DOCS.parent / "README.md", *DOCS.glob("*.md")))
    shown = set(re.findall(r"\((?:docs/)?pictures/([\w.-]+)\)", texts))
    assert shown == set(screenshots.NAMES) == {path.name for path in (DOCS / "pictures").iterdir()}
