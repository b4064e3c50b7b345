"""`mglmm segcap`: folders of photographs in, COCO JSON out."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.errors import UsageError
from mglmm_cli import __version__
from mglmm_cli.codes import Exit
from mglmm_cli.options import DEVICES, MODEL, PRECISION, answering, check_sampling, given, open_model

if TYPE_CHECKING:
    from engine.images.sources import Source
    from engine.journal import RunInfo
    from engine.pipeline import Options, Pipeline
    from engine.workers import Fleet, Worker
    from mglmm_cli.console import PhotoProgress
    from mglmm_cli.results import Results

_STDOUT = "-"
_STDIN = "-"


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("-o", "--out", required=True, help="Output folder; - streams a JSON line per photograph to stdout.")
@click.option(
    "--granularity",
    type=click.Choice(["panoptic", "fine", "both"]),
    help="Ask about the whole scene, about its objects one by one, or both. [default: both]",
)
@click.option(
    "--max-children", type=click.IntRange(min=0), help="At most so many objects are asked about. [default: 4]"
)
@click.option("--instruction", metavar="TEXT", help="Put this question instead.")
@click.option("--label", metavar="TEXT", help='Ask only about this object, like "the man riding a bike".')
@click.option("--overlay", is_flag=True, help="Write a picture with coloured masks and caption per photograph.")
@MODEL
@PRECISION
@DEVICES
@click.option("--batch-size", type=click.IntRange(min=1), help="Photographs that go through the model together.")
@answering
def segcap(
    inputs: tuple[str, ...],
    out: str,
    overlay: bool,
    model: str,
    precision: str,
    devices: str,
    seed: int | None,
    **asked: Any,
) -> Exit:
    """Caption and segment the photographs of INPUT...

    INPUT is a file, a folder (searched to the bottom), a pattern such as 'shots/**/*.jpg', or - for a list on
    stdin, with newline or NUL between names. OUT gets segcap.json (COCO), journal.jsonl (a line per photograph,
    as it is done) and, if photographs could not be done, failures.jsonl; the exit code is then 3.
    """
    _check(asked)
    check_sampling(asked["temperature"], seed)
    if out == _STDOUT and overlay:
        raise click.UsageError("--overlay needs an output folder, not -o -")
    folder = None if out == _STDOUT else _empty_folder(Path(out))
    if folder and overlay:
        _refuse_nested(folder, inputs)
    sources = _sources(inputs)

    from engine.pipeline import Options
    from engine.workers import parse_devices
    from mglmm_cli.console import PhotoProgress
    from mglmm_cli.results import FolderResults, StreamResults

    workers = parse_devices(devices)
    options = Options(**given({**asked, "seed": seed}))
    info = _run_info(model, precision, options)
    with _open(model, precision, workers, options) as pipeline:
        results: Results
        if folder:
            results = FolderResults(folder, info, overlay=overlay)
        else:
            results = StreamResults(sys.stdout.buffer)
        # A bar and the results on one screen would overwrite each other.
        with PhotoProgress(bar=not (out == _STDOUT and sys.stdout.isatty())) as progress:
            _count(inputs, progress)
            failed = _drive(pipeline, sources, results, progress)
    _summarise(progress, failed, results)
    return Exit.PHOTOGRAPHS_FAILED if failed else Exit.DONE


def _check(asked: dict[str, Any]) -> None:
    """Refuse options that contradict each other.

    Raises:
        click.UsageError: naming the one to leave out.
    """
    for name in ("instruction", "label"):
        if asked[name] is not None and not asked[name].strip():
            raise click.UsageError(f"--{name} is empty")
    if asked["instruction"] is not None:
        for name in ("label", "granularity", "max_children"):
            if asked[name] is not None:
                raise click.UsageError(f"--instruction is the whole question; leave out --{name.replace('_', '-')}")
    if asked["label"] is not None:
        if asked["granularity"] not in (None, "fine"):
            raise click.UsageError("--label asks about one object; leave out --granularity, or say fine")
        if asked["max_children"] is not None:
            raise click.UsageError("--label asks about one object; leave out --max-children")
    if asked["granularity"] == "panoptic" and asked["max_children"] is not None:
        raise click.UsageError("--granularity panoptic asks about no single object; leave out --max-children")


def _empty_folder(path: Path) -> Path:
    """Check that `path` can become the output folder, without making it."""
    if path.is_dir():
        if any(path.iterdir()):
            raise UsageError(f"{path} is not empty; choose another output folder with -o")
    elif path.exists() or path.is_symlink():
        raise UsageError(f"{path} is not a folder; choose an output folder with -o")
    return path


def _refuse_nested(folder: Path, inputs: Sequence[str]) -> None:
    """Overlays that land in a folder being searched would be taken for photographs."""
    for given_path in inputs:
        if Path(given_path).is_dir() and folder.resolve().is_relative_to(Path(given_path).resolve()):
            raise UsageError(f"{folder} lies in the input {given_path}; with --overlay choose a folder outside it")


def _sources(inputs: Sequence[str]) -> Iterator[Source]:
    """The photographs, of which there is at least one."""
    from engine.images.sources import find_sources

    sources = find_sources(inputs, sys.stdin.buffer if _STDIN in inputs else None)
    first = next(sources, None)
    if first is None:
        raise UsageError("the list on stdin is empty: write a path per line")
    return chain([first], sources)


def _run_info(model: str, precision: str, options: Options) -> RunInfo:
    """What is about to run."""
    from engine.journal import RunInfo
    from engine.model.checkpoint import identify
    from mglmm_cli.results import now

    name, sha256 = identify(model)
    return RunInfo(f"mglmm {__version__}", name, sha256, {**asdict(options), "precision": precision}, now())


@contextmanager
def _open(model: str, precision: str, workers: Sequence[Worker], options: Options) -> Iterator[Pipeline | Fleet]:
    """The model, in this process if it is one on one device."""
    from engine.model.precision import Precision
    from engine.pipeline import Pipeline
    from engine.workers import Fleet, describe

    if len(workers) == 1:
        yield Pipeline(open_model(model, precision, workers[0].device), options)
        return
    click.echo(f"mglmm: {len(workers)} processes: {describe(workers)}", err=True)
    with Fleet(model, Precision(precision), workers, options) as fleet:
        yield fleet


def _count(inputs: Sequence[str], progress: PhotoProgress) -> None:
    """Count the photographs meanwhile: a large tree takes a while to walk."""
    from engine.images.sources import count_sources

    def count() -> None:
        # What is wrong with an input is reported by the walk that matters.
        with suppress(UsageError, OSError):
            total = count_sources(inputs)
            if total is not None:
                progress.expect(total)

    threading.Thread(target=count, name="count", daemon=True).start()


def _drive(pipeline: Pipeline | Fleet, sources: Iterator[Source], results: Results, progress: PhotoProgress) -> int:
    """Run the photographs through and return how many failed."""
    from engine.records import Failure

    failed = 0
    with results:
        for source, entry in pipeline.run(sources):
            results.add(source, entry)
            if isinstance(entry, Failure):
                failed += 1
                progress.note(f"mglmm: {entry.file_name}: {entry.stage}: {entry.reason}")
            progress.advance()
    return failed


def _summarise(progress: PhotoProgress, failed: int, results: Results) -> None:
    done = progress.done - failed
    if not done:
        progress.note(f"mglmm: no photograph could be done, {failed} failed")
        return
    line = f"mglmm: {done} {'photograph' if done == 1 else 'photographs'} done, {progress.rate:.2f} per second"
    if failed:
        line += f"; {failed} failed"
    progress.note(f"{line}; wrote {results.where}" if results.where else line)
