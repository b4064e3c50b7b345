"""Signals while a run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mglmm_cli.codes import Exit
from mglmm_cli.stopping import Stop, Stopping

ROOT = Path(__file__).parents[2]


def _send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_the_first_asks_and_the_second_ends(number: signal.Signals, code: int) -> None:
    told: list[str] = []
    before = signal.getsignal(number)
    with Stopping(lambda: told.append("stopping")) as stopping:
        assert stopping.code is None
        assert list(stopping.until_asked(iter([1, 2]))) == [1, 2]
        _send(number)
        assert stopping.code == Exit(code) and told == ["stopping"]
        assert list(stopping.until_asked(iter([1, 2]))) == []
        with pytest.raises(Stop), stopping.at_once():
            pass
        with pytest.raises(Stop):
            _send(signal.SIGINT)
    assert signal.getsignal(number) is before and told == ["stopping"]


def test_a_terminal_that_goes_may_say_so_more_than_once() -> None:
    for first in (signal.SIGHUP, signal.SIGTERM):
        with Stopping(lambda: None) as stopping:
            _send(first)
            _send(signal.SIGHUP)
            _send(signal.SIGHUP)
            assert stopping.code == 128 + first


def test_nohup_is_heeded() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stopping(lambda: None) as stopping:
            _send(signal.SIGHUP)
            assert stopping.code is None
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_wait_for_the_next_one_is_not_held_out() -> None:
    def items() -> Iterator[int]:
        yield 1
        _send(signal.SIGHUP)
        yield 2

    told: list[str] = []
    with Stopping(lambda: told.append("stopping")) as stopping:
        assert list(stopping.until_asked(items())) == [1]
        assert stopping.code == Exit.HUNG_UP and told == ["stopping"]


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n", "mglmm: interrupted\n"),
        ("def ask():\n    import os, signal\n    os.kill(os.getpid(), signal.SIGINT)\n", "KeyboardInterrupt\n"),
    ],
    ids=["in an import", "later"],
)
def test_ctrl_c_ends_an_import_at_once(module: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "library.py").write_text(module)
    code = "from mglmm_cli.stopping import interruptible\ninterruptible()\n"
    code += "try:\n    import library\n    library.ask()\nexcept KeyboardInterrupt as error:\n"
    code += "    import sys; sys.stderr.write('KeyboardInterrupt\\n'); sys.exit(130)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (130, said)
