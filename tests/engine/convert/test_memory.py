"""A conversion needs memory for a tensor or two, not for a file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.convert.making import make, rewrite

LIMIT = 60 * 2**20
MEASURE = """
import sys
from pathlib import Path
from engine.convert.convert import convert

def peak():
    # Not getrusage: that counts the process which started this one.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

small, large, out = sys.argv[1:]
convert(small, Path(out) / "small")
before = peak()
convert(large, Path(out) / "large")
print(peak() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read from /proc")
def test_a_large_file_needs_no_more_memory_than_a_small_one(tmp_path: Path) -> None:
    small = make(tmp_path / "1")
    large = make(tmp_path / "2", hidden_size=1024, intermediate_size=2752, num_hidden_layers=4)
    for made in (small, large):
        rewrite(made, made.tensors)
    file = large.folder / "pytorch_model.bin"
    assert file.stat().st_size > 3 * LIMIT
    command = [sys.executable, "-c", MEASURE, str(small.folder), str(large.folder), str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, cwd=Path(__file__).parents[3]
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < LIMIT
    stored = tmp_path / "large" / "model.safetensors"
    assert stored.stat().st_size > 0.99 * file.stat().st_size
