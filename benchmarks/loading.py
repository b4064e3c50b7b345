"""How long a model takes to load, and how much memory beside its weights.

    python -m benchmarks.loading models/1b
    python -m benchmarks.loading random:sa2va-1b        # written to a folder first

Each precision is loaded in a process of its own. Private memory is what the process has for itself; the file's pages
that were looked at are counted apart, as the system drops them when others need room. Linux only.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from engine.model.checkpoint import load, save
from engine.model.precision import Precision

_EVERY = 0.005  # seconds between two looks


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    args = parser.parse_args()
    if not sys.platform.startswith("linux"):
        parser.error("needs /proc of Linux")
    with TemporaryDirectory(prefix="mglmm-loading-") as place:
        folder = args.model
        if args.model.startswith("random:"):
            folder = str(Path(place) / "model")
            drawn = load(args.model)
            save(Path(folder), drawn.model, drawn.tokenizer, dtype=torch.float16)
            del drawn
        print("| precision | seconds | weights | private memory at most | beyond the weights |\n|---|---|---|---|---|")
        context = multiprocessing.get_context("spawn")
        for precision in (Precision.FLOAT32, Precision.BFLOAT16, Precision.FLOAT16):
            process = context.Process(target=_measure, args=(folder, precision))
            process.start()
            process.join()
            if process.exitcode:
                sys.exit(process.exitcode)


def _measure(folder: str, precision: Precision) -> None:
    before = most = _private()
    done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(_EVERY):
            most = max(most, _private())

    watching = threading.Thread(target=watch)
    watching.start()
    begin = time.perf_counter()
    checkpoint = load(folder, precision=precision)
    seconds = time.perf_counter() - begin
    done.set()
    watching.join()
    weights = sum(one.numel() * one.element_size() for one in checkpoint.model.parameters())
    taken = max(most, _private()) - before
    beyond = max(0.0, taken / weights - 1)
    print(
        f"| {precision} | {seconds:.1f} | {weights / 1e9:.2f} GB | {taken / 1e9:.2f} GB | {beyond:.1%} |",
        flush=True,
    )


def _private() -> int:
    """Bytes of memory that no file backs."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return 1024 * int(line.split()[1])
    raise RuntimeError("/proc/self/status has no RssAnon")


if __name__ == "__main__":
    main()
