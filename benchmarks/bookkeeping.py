"""What 100,000 photographs cost beside the model: finding them, the journal, the COCO file.

    python -m benchmarks.bookkeeping [--photographs 100000] [--masks 8]

The photographs are empty files in a temporary folder and the answers are made up, so that nothing is decoded and no
model runs: what is measured is what `mglmm segcap` does for each photograph in any case. `--masks 0` leaves the
masks out, whose JSON is most of it.
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

from engine.grammar import parse
from engine.images.sources import count_sources, find_sources
from engine.journal import RunInfo
from engine.masks import rle
from engine.records import Mask, PhotoRecord, SegCap
from exporters.coco import write_coco
from mglmm_cli.results import FolderResults

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
    """Print how long a step took, and how much memory the process has had until its end."""
    start = time.perf_counter()
    yield
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:10} {seconds:8.2f} s {seconds / count * 1e6:8.1f} us each   peak {peak:6.0f} MB", flush=True)


def main() -> None:
    """Run all steps and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=int, default=100_000)
    parser.add_argument("--masks", type=int, default=8, help="in each photograph")
    options = parser.parse_args()
    count, record, info = options.photographs, answered(options.masks), RunInfo("benchmark", "none", "")
    with TemporaryDirectory(prefix="mglmm-") as name:
        photographs, out = Path(name) / "photographs", Path(name) / "out"
        make_names(photographs, count)
        inputs = [str(photographs)]
        with step("start", count):
            pass
        with step("count", count):
            count_sources(inputs)
        with step("sources", count):
            for _ in find_sources(inputs, None):
                pass
        results = FolderResults(out, info, overlay=False)
        with step("journal", count):
            for source in find_sources(inputs, None):
                results.add(source, replace(record, file_name=source.file_name))
        with step("coco", count):
            write_coco(out / "journal.jsonl", out / "segcap.json", info)
        results.__exit__(KeyboardInterrupt, None, None)  # closes the journal and writes no second COCO file


if __name__ == "__main__":
    main()
