"""Progress lines and printed answers."""

from __future__ import annotations

import pytest

from engine.records import RLE, Mask, SegCap
from engine.text.grammar import parse
from mglmm_cli.console import PhotoProgress, duration, print_answer


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (11.6, "12 s"), (59.7, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (-3, "0 s")],
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_notes_go_to_stderr_without_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    with PhotoProgress() as progress:
        progress.expect(9)
        progress.reach(3, 4)
        progress.note("bad\x1b[2J.jpg")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "bad\ufffd[2J.jpg\n"
    assert (progress.done, progress.skipped) == (3, 4)


def test_an_answer_is_plain_away_from_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    answer = parse("<p> a red cup </p> [SEG] on <p> the [table] </p> [SEG] " + "and more " * 40)
    mask = Mask(RLE(4, 4, "04L"), 4, (0, 0, 1, 4), 0.9)
    print_answer(SegCap("custom", "What?", answer, (mask, mask)))
    captured = capsys.readouterr()
    assert captured.out == answer.caption + "\n"
    assert captured.err == ""
