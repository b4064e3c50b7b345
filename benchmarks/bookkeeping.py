"""What 100,000 photographs cost beside the model: finding them, the journal, the outputs.

    python -m benchmarks.bookkeeping [--photographs 100000] [--masks 8]

The photographs are empty files in a temporary folder and the answers are made up, so that nothing is decoded and no
model runs: what is measured is what `mglmm segcap` does for each photograph in any case. `--masks 0` leaves the
masks out, whose JSON is most of it.

    names    the walk of the folders
    lines    a record to a checked line of a journal, on the disk at the end
    run      both together as a run does them: the walk, opening and hashing each file, its line
    outputs  reading the journal and checking it, segcap.json
    again    the same command once more: reading the journal, the walk, a look at each file's size and times
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from engine.images.sources import find_sources
from engine.journal import Journal, RunInfo, Start
from engine.masks import rle
from engine.records import Mask, PhotoRecord, SegCap
from engine.text.grammar import parse
from mglmm_cli.results import FolderResults, write_outputs

_HEIGHT, _WIDTH = 480, 640
_FOLDER = 1_000  # photographs in a folder


def answered(masks: int) -> PhotoRecord:
    """An answer about a photograph of 640 x 480 with so many round masks."""
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    found = []
    for number in range(masks):
        middle = _WIDTH * (number + 1) // (masks + 1)
        pixels = (rows - _HEIGHT // 2) ** 2 + (columns - middle) ** 2 < (60 + 15 * number) ** 2
        [encoded] = rle.encode(pixels[None])
        found.append(Mask(encoded, rle.area(encoded), rle.bbox(encoded), 0.9 - number / 100))
    text = "The image shows " + ", ".join(f"<p> a round thing {number} </p> [SEG]" for number in range(masks)) + "."
    question = "Describe all the objects in the image comprehensively, with interleaved masks."
    return PhotoRecord("", _WIDTH, _HEIGHT, (SegCap("panoptic", question, parse(text), tuple(found)),))


def make_names(folder: Path, count: int) -> None:
    """Empty files with the names of photographs."""
    for number in range(count):
        below = folder / f"{number // _FOLDER:04}"
        if number % _FOLDER == 0:
            below.mkdir(parents=True)
        (below / f"{number:08}.jpg").touch()


@contextmanager
def step(name: str, count: int) -> Iterator[None]:
    """Print how long a step took, on the clock and of the processor, and the process's memory until its end."""
    start, busy = time.perf_counter(), time.process_time()
    yield
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    each = busy / count * 1e6
    print(f"{name:8} {seconds:7.2f} s {busy:7.2f} s busy {each:7.1f} us each   peak {peak:5.0f} MB", flush=True)


def main() -> None:
    """Run all steps and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=int, default=100_000)
    parser.add_argument("--masks", type=int, default=8, help="in each photograph")
    options = parser.parse_args()
    count, record, start = options.photographs, answered(options.masks), Start(RunInfo("benchmark", "none", ""))
    with TemporaryDirectory(prefix="mglmm-") as name:
        photographs, out = Path(name) / "photographs", Path(name) / "out"
        make_names(photographs, count)
        inputs = [str(photographs)]
        with step("start", count):
            pass
        with step("names", count):
            found = sum(1 for _ in find_sources(inputs, None))
        assert found == count
        out.mkdir()
        with step("lines", count), Journal(out / "lines.jsonl", start) as journal:
            journal.begin()
            for number in range(count):
                journal.append(replace(record, file_name=f"{number // _FOLDER:04}/{number:08}.jpg"), at=number)
            journal.finish()
        with step("run", count), FolderResults(out, start, overlay=False) as results:
            results.begin()
            for source in results.todo(find_sources(inputs, None)):
                results.add(source, replace(record, file_name=source.file_name))
        with step("outputs", count):
            write_outputs(out)
        with step("again", count), FolderResults(out, start, overlay=False) as results:
            left = sum(1 for _ in results.todo(find_sources(inputs, None)))
        print(f"{left} left; journal {(out / 'journal.jsonl').stat().st_size >> 20} MB")


if __name__ == "__main__":
    main()
