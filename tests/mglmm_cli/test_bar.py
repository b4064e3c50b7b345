"""The plain bar: on a terminal it is drawn and wiped off, elsewhere there is a line now and then."""

from __future__ import annotations

import io
import time

import pytest

from mglmm_cli.bar import bar


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_that_is_gone_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = _Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    with bar("B", scaled=True) as advance:
        advance(1500, 3000)
        time.sleep(0.2)  # it is drawn ten times a second
        advance(1500, 3000)
    shown = screen.getvalue()
    assert "\n" not in shown and "3.00k" in shown
    assert shown.rpartition("\r")[2] == "" and not shown.split("\r")[-2].strip()


def test_elsewhere_a_line_comes_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("mglmm_cli.bar.time.monotonic", lambda: now)
    with bar(" photographs") as advance:
        for later in (1.0, 11.0, 12.0, 21.0):
            now = later
            advance()
    assert capsys.readouterr().err == "2 photographs\n4 photographs\n"
    with bar("B", scaled=True) as advance:
        now = 40.0
        advance(2_500_000, 10_000_000)
    assert capsys.readouterr().err == "2.50MB of 10.0MB\n"


def test_what_goes_wrong_is_not_hidden_by_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = _Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    with pytest.raises(OSError, match="full"), bar(" photographs") as advance:
        advance()
        raise OSError("full")
    assert not screen.getvalue().split("\r")[-2].strip()
