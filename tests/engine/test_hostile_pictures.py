"""No bytes hurt the decoder: damaged heads of every format, in a process with limits on memory and time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine import corpus

_MEMORY = 200e6  # bytes that were really used; a million pixels, twenty times over
_PART = 4000


def _report(first: int, count: int, folder: Path) -> dict[str, object]:
    """What the corpus says of some examples; that it says anything means that no decoder crashed or hung."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.engine.corpus", str(first), str(count), str(folder)]
    done = subprocess.run(command, capture_output=True, timeout=1200)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
    report: dict[str, object] = json.loads(done.stdout)
    return report


def _check(report: dict[str, object], count: int) -> None:
    assert report["wrong"] == []
    outcomes = report["outcomes"]
    assert isinstance(outcomes, dict) and sum(outcomes.values()) == count
    assert "no memory" not in outcomes
    # Neither all whole nor all refused at once: the damage reaches what it is meant to reach.
    assert min(outcomes["decoded"], outcomes["refused at open"], outcomes["refused at decode"]) > count / 20
    assert isinstance(report["memory"], int) and report["memory"] < _MEMORY


def test_every_seed_of_the_corpus_is_a_picture(tmp_path: Path) -> None:
    for name, data in corpus.seeds():
        (tmp_path / "picture").write_bytes(data)
        assert corpus.look_at(tmp_path / "picture") == "decoded", name


def test_damaged_pictures_are_decoded_or_refused(tmp_path: Path) -> None:
    _check(_report(0, 600, tmp_path), 600)


@pytest.mark.skipif(not os.environ.get("MGLMM_WHOLE"), reason="the whole form takes half an hour: MGLMM_WHOLE=1")
@pytest.mark.parametrize("first", range(1_000_000, 1_000_000 + 6 * _PART, _PART))
def test_damaged_pictures_by_the_thousand(tmp_path: Path, first: int) -> None:
    _check(_report(first, _PART, tmp_path), _PART)
