"""What reaches a terminal is harmless and keeps its length."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mglmm_cli.text import clean


@given(st.text(st.characters()))
def test_positions_stay_valid(text: str) -> None:
    assert len(clean(text)) == len(text)


@given(st.text(st.characters(codec=None)))
def test_nothing_controls_the_terminal(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert not any(character < " " or "\x7f" <= character < "\xa0" for character in cleaned)


def test_examples() -> None:
    assert clean("a\x1b[31mred\tcup\n") == "a\ufffd[31mred cup "
    assert clean("caf\u00e9 \udcff.jpg") == "caf\u00e9 \ufffd.jpg"
    assert clean("\u202egpj.exe") == "\ufffdgpj.exe"
    assert clean("naïve 漢字 👩‍🚀") == "naïve 漢字 👩‍🚀"
