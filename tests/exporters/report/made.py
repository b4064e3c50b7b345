"""Runs that nobody ran: journals written by hand, with their photographs if wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from PIL import Image

from engine.journal import Index, Journal, RunInfo, Start
from engine.masks import rle
from engine.records import Failure, Mask, Parent, PhotoRecord, SegCap
from engine.text.grammar import parse
from exporters.report.entries import entries_of
from exporters.report.runs import run_of
from exporters.report.writer import Written, write_report

HEIGHT, WIDTH = 60, 80
INFO = RunInfo("mglmm 1.0", "nano", "ab12" * 16, {"granularity": "both"}, "2026-01-01T00:00:00+00:00")
HOSTILE = '<img src=x onerror="document.body.dataset.hacked=1"><script>document.body.dataset.hacked=1</script>'
BACKWARDS = "\u202eexe.gpj\u202c \u2067a\u2069"

NAMES = ("a/man.jpg", "b.jpg", "odd.jpg", "hostile.jpg", f"{HOSTILE.replace('/', '_')}.jpg")
"""Of the photographs of the report that most tests look at, but for one that failed."""


def block(top: int, left: int, height: int, width: int, *, frame: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    pixels = np.zeros(frame, bool)
    pixels[top : top + height, left : left + width] = True
    return pixels


def mask(pixels: np.ndarray, score: float = 0.9) -> Mask:
    [encoded] = rle.encode(pixels[None])
    return Mask(encoded, rle.area(encoded), rle.bbox(encoded), score if pixels.any() else 0.0)


MAN, HAT, DOG, OTHER = block(5, 5, 50, 30), block(5, 10, 12, 15), block(30, 45, 20, 15), block(30, 62, 20, 15)


def scene(file_name: str, score: float = 0.9) -> PhotoRecord:
    """A man and two dogs; of the man, a hat and his own mask once more."""
    names: list[list[float]] = [[], [score], [], [], [0.5], [], [], []]
    text = "<p> A man </p> [SEG] walks <p> two dogs </p> [SEG] [SEG]."
    panoptic = SegCap(
        "panoptic", "Describe all.", parse(text, names), (mask(MAN, score), mask(DOG, 0.8), mask(OTHER, 0.7))
    )
    inner = "<p> The man </p> [SEG] wears <p> a red hat </p> [SEG] and <p> a coat </p> [SEG]."
    masks = (mask(MAN), mask(HAT, 0.6), mask(block(6, 5, 49, 30), 0.65))
    return PhotoRecord(
        file_name, WIDTH, HEIGHT, (panoptic, SegCap("fine", "Describe the man.", parse(inner), masks, Parent(0, 0)))
    )


def odd(file_name: str) -> PhotoRecord:
    """What goes wrong: a mask without a pixel and without a name, an answer that was cut, a refusal."""
    empty = SegCap("custom", "Segment it.", parse("It is [SEG]"), (mask(block(0, 0, 0, 0)),), truncated=True)
    refused = SegCap("custom", "Segment the zebra.", parse("There is no <p> zebra </p>."), ())
    return PhotoRecord(file_name, WIDTH, HEIGHT, (empty, refused))


def hostile(file_name: str) -> PhotoRecord:
    """Texts that would like to be markup, run backwards, never end, or have characters that scripts count twice."""
    text = f"\U0001f600 <p> {HOSTILE} </p> [SEG] {BACKWARDS} <p> {'x' * 10_000} </p> [SEG] </script> </b>"
    return PhotoRecord(file_name, WIDTH, HEIGHT, (SegCap("custom", HOSTILE, parse(text), (mask(MAN), mask(DOG))),))


def write_journal(folder: Path, entries: Iterable[PhotoRecord | Failure], *, finished: bool = True) -> Path:
    """A run's folder."""
    folder.mkdir(parents=True)
    with Journal(folder / "journal.jsonl", Start(INFO, ("photos",), str(folder.parent))) as journal:
        journal.begin()
        for at, entry in enumerate(entries):
            journal.append(entry, at=at, path=f"photos/{at}.png")
        if finished:
            journal.finish()
    return folder


def write_photographs(folder: Path, count: int) -> None:
    """The photographs of a run beside its folder."""
    (folder / "photos").mkdir()
    for at in range(count):
        Image.new("RGB", (WIDTH, HEIGHT), (90 + at, 120, 150)).save(folder / "photos" / f"{at}.png")


def report(out: Path, *folders: Path, photos: Path | None = None) -> Written:
    """The report of some runs."""
    with ExitStack() as stack:
        runs: Sequence[Index] = [Index(folder / "journal.jsonl") for folder in folders]
        for index in runs:
            stack.callback(index.close)
        about = [run_of(index, folder.name) for index, folder in zip(runs, folders, strict=True)]
        return write_report(out, folders[0].name, about, entries_of(runs, photos))
