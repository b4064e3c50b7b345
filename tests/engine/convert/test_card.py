"""Licences on cards."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.convert.card import terms_of


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ("---\nlicense: apache-2.0\n---\n# A\n", "apache-2.0, as its card says"),
        ("---\r\ntags:\r\n- x\r\nlicense: mit\r\n---\r\n", "mit, as its card says"),
        ("---\nlicense: other\nlicense_name: llama2\n---\n", "other, llama2, as its card says"),
        ("---\ntags: [x]\n---\nlicense: mit\n", None),
        ("# A\nlicense: mit\n", None),
        ("---\nlicense: mit\n", None),
        ("", None),
    ],
)
def test_what_a_card_says(card: str, said: str | None, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(card.encode())
    assert terms_of(tmp_path, "a") == ({"a": said} if said else {})


def test_no_card(tmp_path: Path) -> None:
    assert terms_of(tmp_path, "a") == {}
