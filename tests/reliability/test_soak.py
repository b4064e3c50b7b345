"""Many photographs: memory stays flat, and broken ones cost nothing but themselves."""

from __future__ import annotations

import json
import resource
import shutil
from functools import partial
from pathlib import Path

from tests.reliability.photographs import make
from tests.reliability.program import WHOLE, Broken, Run

SOAK = 20_000 if WHOLE else 500
GROWTH = 60_000 if WHOLE else 40_000
"""Kilobytes that the second half of a soak may add to the peak of the first: what allocators do, not photographs,
each of which takes 40 kB while it is worked on."""
FEW = 500 if WHOLE else 100


def _command(model: Path) -> list[str]:
    how = ["--granularity", "panoptic", "--max-new-tokens", "2", "--batch-size", "16"]
    return ["segcap", "photos", "-o", "out", "--model", str(model), *how]


def _note_memory(every: int) -> None:
    """Write the peak of the process to memory.log after each so many photographs."""
    from mglmm_cli.results import FolderResults

    add, count = FolderResults.add, 0

    def noting(self, source, entry):  # type: ignore[no-untyped-def]
        nonlocal count
        add(self, source, entry)
        count += 1
        if count % every == 0:
            with open("memory.log", "a") as log:
                log.write(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}\n")

    FolderResults.add = noting  # type: ignore[method-assign]


def test_memory_stays_flat(tmp_path: Path, tiny_folder: Path) -> None:
    one = next(make(tmp_path / "one", 1).iterdir())
    for number in range(SOAK):
        below = tmp_path / "photos" / f"{number // 1000:03}"
        below.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(one, below / f"{number:06}.png")
    run = Run(tmp_path, _command(tiny_folder), Broken(prepare=partial(_note_memory, SOAK // 10)))
    run.process.join(3600)
    assert run.wait() == 0, run.errors
    peaks = [int(line) for line in (tmp_path / "memory.log").read_text().split()]
    assert len(peaks) == 10
    assert peaks[-1] - peaks[4] < GROWTH, peaks
    assert len(json.loads((tmp_path / "out" / "segcap.json").read_bytes())["images"]) == SOAK


def test_broken_photographs_among_others(tmp_path: Path, tiny_folder: Path) -> None:
    make(tmp_path / "photos", FEW, broken_every=10)
    run = Run(tmp_path, _command(tiny_folder))
    assert run.wait() == 3
    failures = [json.loads(line) for line in (tmp_path / "out" / "failures.jsonl").read_text().splitlines()]
    assert [entry["file_name"] for entry in failures] == [f"{number:05}.png" for number in range(9, FEW, 10)]
    assert {entry["failure"]["stage"] for entry in failures} <= {"open", "decode"}
    assert all(entry["failure"]["reason"] for entry in failures)
    images = json.loads((tmp_path / "out" / "segcap.json").read_bytes())["images"]
    assert len(images) == FEW - FEW // 10
    assert all(run.errors.count(f"{entry['file_name']}: ") == 1 for entry in failures)
