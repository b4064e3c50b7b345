"""What reaches a terminal is harmless and keeps its length."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.records import SegCap
from engine.text.grammar import parse
from mglmm_cli.console import PhotoProgress, print_answer
from mglmm_cli.tables import table_console, titled_table
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


def test_markup_in_a_cell_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    table = titled_table("[red]title", "[bold]column")
    table.add_row("[link=http://a]b[/link] :smile: [/nothing]")
    table_console(80).print(table)
    printed = capsys.readouterr().out
    for text in ("[red]title", "[bold]column", "[link=http://a]b[/link] :smile: [/nothing]"):
        assert text in printed


def test_no_line_of_a_piped_table_ends_in_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    table = titled_table("title", "short", "a heading", numbers=("number",))
    table.add_row("a cell that is longer", "", "")
    console = table_console(80)
    console.print(table)
    console.print("below")
    printed = capsys.readouterr().out
    assert "a cell that is longer" in printed and printed.endswith("\n\nbelow\n")
    assert [line for line in printed.splitlines() if line != line.rstrip()] == []


def test_markup_in_an_answer_or_a_note_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    text = "[red]a[/red] :smile: \x1b]8;;http://a\x1b\\ [/nothing]"
    answer = parse(f"<p> {text} </p>")
    print_answer(SegCap("custom", "What?", answer, ()))
    with PhotoProgress() as progress:
        progress.note(text)
    captured = capsys.readouterr()
    for printed in (captured.out, captured.err):
        assert printed.strip() == clean(text) and "\x1b" not in printed
