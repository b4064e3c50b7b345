"""One process at a time, and none that is dead."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import MglmmError
from engine.journal import LOCK, Lock, holder

ROOT = Path(__file__).parents[3]
HOLD = "import sys, time; from pathlib import Path; from engine.journal import Lock; lock = Lock(Path(sys.argv[1])); "


def _hold(folder: Path) -> subprocess.Popen[bytes]:
    """Another process that has the folder."""
    code = HOLD + "print('held', flush=True); time.sleep(600)"
    process = subprocess.Popen([sys.executable, "-c", code, folder], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline()
    return process


def test_it_is_held_against_other_processes_and_says_by_whom(tmp_path: Path) -> None:
    process = _hold(tmp_path)
    try:
        with pytest.raises(MglmmError, match=f"{tmp_path} is in use by process {process.pid}"):
            Lock(tmp_path)
        assert holder(tmp_path) == str(process.pid)
    finally:
        process.kill()
        process.communicate()
    # A dead process holds nothing, though its file is still there.
    assert (tmp_path / LOCK).exists()
    assert holder(tmp_path) is None
    with Lock(tmp_path):
        assert holder(tmp_path) == str(os.getpid())


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    with Lock(tmp_path), pytest.raises(MglmmError):
        Lock(tmp_path)
    assert not any(tmp_path.iterdir())
    with Lock(tmp_path) as lock:
        lock.close()
    assert holder(tmp_path) is None
