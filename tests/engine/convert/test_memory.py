"""A conversion needs memory for a tensor or two, not for a file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engine.convert.convert import convert
from tests import program
from tests.engine.convert.making import make, rewrite

LIMIT = 60 * 2**20


def _peak() -> int:
    # Not getrusage: that counts the process which started this one.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def _measure(small: str, large: str, out: Path) -> None:
    convert(small, out / "small")
    before = _peak()
    convert(large, out / "large")
    print(_peak() - before)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read from /proc")
def test_a_large_file_needs_no_more_memory_than_a_small_one(tmp_path: Path) -> None:
    small = make(tmp_path / "1")
    large = make(tmp_path / "2", hidden_size=1024, intermediate_size=2752, num_hidden_layers=4)
    for made in (small, large):
        rewrite(made, made.tensors)
    file = large.folder / "pytorch_model.bin"
    assert file.stat().st_size > 3 * LIMIT
    done = program.call(_measure, str(small.folder), str(large.folder), tmp_path, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < LIMIT
    stored = tmp_path / "large" / "model.safetensors"
    assert stored.stat().st_size > 0.99 * file.stat().st_size
