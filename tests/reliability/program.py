"""`mglmm` in a process of its own that a test can kill, with a model that is slow and notes what it does.

The process is forked from one that has imported everything, so that a run takes a fraction of a second to begin.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

WHOLE = bool(os.environ.get("MGLMM_WHOLE"))
"""Whether the tests run in their long form."""
_PATIENCE = 600.0
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    ["engine.pipeline.pipeline", "mglmm_cli.segcap", "mglmm_cli.results", "mglmm_cli.console"]
)


@dataclass(frozen=True, slots=True)
class Broken:
    """What is made to go wrong in the process.

    Attributes:
        delay: seconds that the masks of each batch take longer.
        prepare: called before the program begins.
    """

    delay: float = 0.0
    prepare: Callable[[], None] | None = None


class Run:
    """One run of the program in `folder`.

    Args:
        folder: where it runs; `answered.log` and `stderr.log` are made there.
        args: of the command line.
    """

    def __init__(self, folder: Path, args: Sequence[str | Path], broken: Broken | None = None) -> None:
        self._folder = folder
        words = [str(word) for word in args]
        self.process: ForkServerProcess = _context.Process(target=_main, args=(folder, words, broken or Broken()))
        self.process.start()

    def wait(self) -> int:
        """The exit code."""
        self.process.join(_PATIENCE)
        assert self.process.exitcode is not None, f"still running; {self.errors}"
        return self.process.exitcode

    def wait_until(self, reached: Callable[[], bool]) -> bool:
        """Wait for something; False if the run ended before."""
        limit = time.monotonic() + _PATIENCE
        while self.process.is_alive() and not reached():
            assert time.monotonic() < limit, self.errors
            time.sleep(0.002)
        return self.process.is_alive()

    def kill(self) -> None:
        """As `kill -9`."""
        self.process.kill()
        self.process.join()

    @property
    def errors(self) -> str:
        """What it said on stderr, and all runs in this folder before it."""
        path = self._folder / "stderr.log"
        return path.read_text(errors="replace") if path.exists() else ""


def answered(folder: Path) -> Counter[str]:
    """How often each photograph was answered by the runs in a folder, by their width."""
    path = folder / "answered.log"
    return Counter(path.read_text().split()) if path.exists() else Counter()


def journal_lines(out: Path) -> int:
    """Whole lines of photographs in a journal."""
    path = out / "journal.jsonl"
    return path.read_bytes().rpartition(b"\n")[0].count(b',"photo":') if path.exists() else 0


def _main(folder: Path, args: list[str], broken: Broken) -> None:
    os.chdir(folder)
    for name, descriptor in (("stdout.log", 1), ("stderr.log", 2)):
        log = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, descriptor)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    faulthandler.enable()
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])  # for its own worker processes
    sys.argv = ["mglmm", *args]
    _slow_down(broken.delay)
    if broken.prepare:
        broken.prepare()
    from mglmm_cli.main import main

    main(args)


def _slow_down(delay: float) -> None:
    """Let the model take its time, and note each photograph that it has done by its size."""
    import torch

    from engine.images.transforms import Views
    from engine.pipeline.pipeline import Answerer, Pipeline

    torch.set_num_threads(1)  # so small a model is slower with several
    finish, record = Answerer.finish, Pipeline._record

    def slow_finish(self, drafts):  # type: ignore[no-untyped-def]
        time.sleep(delay)
        return finish(self, drafts)

    def noting_record(self, source, views: Views, answers):  # type: ignore[no-untyped-def]
        with open("answered.log", "a") as log:
            log.write(f"{views.frame.width}\n")
        return record(self, source, views, answers)

    Answerer.finish = slow_finish  # type: ignore[method-assign]
    Pipeline._record = noting_record  # type: ignore[method-assign]
