"""`mglmm` with a model that is slow and notes what it does, so that a test can break it in the middle."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import program

WHOLE = bool(os.environ.get("MGLMM_WHOLE"))
"""Whether the tests run in their long form."""


@dataclass(frozen=True, slots=True)
class Broken:
    """What is made to go wrong in the process.

    Attributes:
        delay: seconds that the masks of each batch take longer.
        prepare: called before the program begins.
    """

    delay: float = 0.0
    prepare: Callable[[], None] | None = None

    def __call__(self) -> None:
        _slow_down(self.delay)
        if self.prepare:
            self.prepare()


class Run(program.Run):
    """One run of the program in `folder`, where `answered.log` and the logs of what it says are made."""

    def __init__(self, folder: Path, args: Sequence[str | Path], broken: Broken | None = None) -> None:
        super().__init__(folder, args, broken or Broken())


def answered(folder: Path) -> Counter[str]:
    """How often each photograph was answered by the runs in a folder, by their width."""
    path = folder / "answered.log"
    return Counter(path.read_text().split()) if path.exists() else Counter()


def journal_lines(out: Path) -> int:
    """Whole lines of photographs in a journal."""
    path = out / "journal.jsonl"
    return path.read_bytes().rpartition(b"\n")[0].count(b',"photo":') if path.exists() else 0


def _slow_down(delay: float) -> None:
    """Let the model take its time, and note each photograph that it has done by its size."""
    from engine.images.transforms import Views
    from engine.pipeline.pipeline import Answerer, Pipeline

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
