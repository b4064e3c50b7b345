"""`mglmm segcap`: folders of photographs in, COCO JSON out."""

from __future__ import annotations

import os
import shlex
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine import __version__
from engine.errors import UsageError
from mglmm_cli.asked import take_questions
from mglmm_cli.codes import Exit
from mglmm_cli.finding import STDIN, Photographs, find, listing_of
from mglmm_cli.kinds import TEXT, count
from mglmm_cli.labels import label_options, take_choice
from mglmm_cli.options import (
    DEVICES,
    MODEL,
    PRECISION,
    answering,
    check_sampling,
    given,
    open_model,
    warn_of_runtime,
)
from mglmm_cli.streams import Nowhere, write_progress
from mglmm_cli.text import clean

if TYPE_CHECKING:
    from engine.images.sources import Source
    from engine.journal import RunInfo
    from engine.model.checkpoint import Identity
    from engine.model.precision import Precision
    from engine.pipeline.finishing import Outcome
    from engine.pipeline.pipeline import Options
    from engine.records import PhotoRecord, Remark
    from engine.workers.fleet import Worker
    from mglmm_cli.console import PhotoProgress
    from mglmm_cli.results import FolderResults, Results

    Model = Callable[[Iterator[Source]], Iterator[Outcome]]

_STDOUT = "-"
_STOPPING = b"mglmm: stopping once the photographs in hand are done; once more ends it at once\n"


@click.command()
@click.argument("inputs", nargs=-1, metavar="INPUT...")
@click.option("-o", "--out", required=True, help="Output folder; - streams a JSON line per photograph to stdout.")
@click.option(
    "--granularity",
    type=click.Choice(["panoptic", "fine", "both"]),
    help="Ask about the whole scene, about its objects one by one, or both. [default: both]",
)
@click.option("--max-children", type=count(0), help="At most so many objects are asked about. [default: 4]")
@click.option("--instruction", type=TEXT, multiple=True, metavar="TEXT", help="Put this question instead; repeatable.")
@click.option(
    "--label",
    type=TEXT,
    multiple=True,
    metavar="TEXT",
    help='Ask only about this object, like "the man riding a bike"; repeatable.',
)
@click.option("--ask-each", is_flag=True, help="Ask about each of the --categories, one by one.")
@click.option(
    "--list",
    "listed",
    metavar="FILE",
    help="The photographs instead of INPUT: text, CSV, TSV or JSON-lines, - for stdin. A row may have a question of "
    "its own, as `instruction` or `label`.",
)
@click.option("--column", metavar="NAME", help="Of a list: holds the paths. [default: file_name, path, image, ...]")
@click.option(
    "--root",
    metavar="DIR",
    help="Where the photographs of a COCO JSON or a list lie. [default: its own folder; of a list without columns the "
    "working folder]",
)
@click.option("--strict", is_flag=True, help="Exit with 3 if files were left out.")
@click.option("--overlay", is_flag=True, help="Write a picture with coloured masks and caption per photograph.")
@click.option("--report", is_flag=True, help="Write a page of all photographs at the end; see mglmm report.")
@click.option("--fresh", is_flag=True, help="Start over in OUT, where an earlier run would be continued.")
@MODEL
@PRECISION
@DEVICES
@click.option(
    "--batch-size",
    type=count(),
    help="Answers that are written together. [default: 8 on a CPU, what its memory holds on a CUDA device]",
)
@answering
@label_options
def segcap(
    inputs: tuple[str, ...],
    out: str,
    listed: str | None,
    column: str | None,
    root: str | None,
    strict: bool,
    overlay: bool,
    report: bool,
    fresh: bool,
    model: str,
    precision: str,
    devices: str,
    seed: int | None,
    **asked: Any,
) -> Exit:
    """Caption and segment the photographs of INPUT...

    INPUT is a file, a folder (searched to the bottom), a pattern such as 'shots/**/*.jpg', or - for a list on
    stdin, with newline or NUL between names; or a COCO JSON, whose ids, licences and other keys of images are kept.
    OUT gets segcap.json (COCO), journal.jsonl (a line per photograph,
    as it is done) and, if photographs could not be done, failures.jsonl; the exit code is then 3.

    The same command again goes on where it was stopped: photographs that are new, have changed or failed are done,
    the others are not decoded. Ctrl-C, SIGTERM or SIGHUP lets it finish the photographs in hand; a second one
    ends it at once. Exit codes: 0 all done, 1 error, 2 wrong usage, 3 some photographs failed, 129, 130 or 143 stopped,
    141 the reader of stdout has gone.
    """
    choice = take_choice(asked)
    questions = take_questions(asked, choice)
    check_sampling(asked["temperature"], seed)
    for name, wanted in (("overlay", overlay), ("report", report), ("fresh", fresh)):
        if out == _STDOUT and wanted:
            raise click.UsageError(f"--{name} needs an output folder, not -o -")
    if not out:
        raise click.UsageError("--out is empty: give a folder, or - for stdout")
    if out == _STDOUT and isinstance(sys.stdout, Nowhere):
        raise click.UsageError("-o - writes to stdout, which is closed")
    from mglmm_cli.folder import held

    folder = None if out == _STDOUT else Path(out)
    if folder:
        from mglmm_cli.folder import check_folder

        check_folder(folder)
    photographs = find(listing_of(inputs, listed, column, root), inputs, folder, root)
    with ExitStack() as stack:
        # Before seconds are spent on imports, so that `mglmm status` knows of it.
        lock = stack.enter_context(held(folder)) if folder else None

        from engine.journal import Start
        from engine.model.checkpoint import identify
        from engine.model.precision import fitting, named
        from engine.pipeline.answering import asked_of
        from engine.pipeline.pipeline import Options
        from engine.text.prompts import TEMPLATES
        from engine.workers.fleet import parse_devices
        from mglmm_cli.releases import located
        from mglmm_cli.results import FolderResults, StreamResults

        workers = parse_devices(devices)
        options = Options(**given({**asked, "seed": seed}), questions=questions)
        place = located(model)
        found = identify(place)
        weights = named(precision) or fitting(found.config, workers[0].device)
        info = _run_info(found, weights, options)
        families = TEMPLATES[found.config.template].families
        results: Results
        if folder:
            # What comes on a list is not looked for again.
            start = Start(
                info,
                inputs or (STDIN,),
                os.getcwd(),
                root,
                photographs.listed.licenses if photographs.listed else (),
            )
            results = FolderResults(
                folder,
                start,
                overlay=overlay,
                report=report,
                fresh=fresh,
                max_pixels=options.max_pixels,
                lock=lock,
                choice=choice,
                listed=photographs.listed,
                asks=lambda source: [one.instruction for one in asked_of(source.questions, families)],
            )
            _report_damage(results)
        else:
            results = StreamResults(sys.stdout.buffer)
        stack.enter_context(results)
        return _run(_Job(model, place, weights, workers, options), photographs, results, strict=strict)


@dataclass(frozen=True, slots=True)
class _Job:
    """What runs, and where.

    Attributes:
        model: as it was asked for.
        place: what it names.
        precision: of its weights in memory.
        workers: where it runs.
        options: of the pipeline.
    """

    model: str
    place: str
    precision: Precision
    workers: Sequence[Worker]
    options: Options


def _run(job: _Job, photographs: Photographs, results: Results, *, strict: bool) -> Exit:
    """Do what is to be done; the model is loaded only if there is something."""
    from engine.memory import share_heaps
    from mglmm_cli.console import PhotoProgress
    from mglmm_cli.stopping import Stop, Stopping

    share_heaps()
    todo = results.todo(photographs.sources)
    first = next(todo, None)
    with ExitStack() as stack:
        model = stack.enter_context(_open(job, in_order=not results.where)) if first else None
        results.begin()
        # A bar and the results on one screen would overwrite each other.
        bar = bool(results.where) or not sys.stdout.isatty()
        progress = stack.enter_context(PhotoProgress(bar=bar))
        # Not by the progress, which may be in the middle of a line.
        stopping = stack.enter_context(Stopping(lambda: write_progress(_STOPPING)))
        _count(photographs, progress)
        with suppress(Stop):
            if model and first:
                _drive(model, stopping.until_asked(chain([first], todo)), results, progress)
            with stopping.at_once():
                results.finish()
        results.settle()
        progress.reach(results.settled, results.skipped)
        if stopping.code:
            progress.note(_stopped(results, progress))
            return stopping.code
        _summarise(progress, photographs, results)
    missed = progress.failed or photographs.faults or (strict and photographs.left_out)
    return Exit.PHOTOGRAPHS_FAILED if missed else Exit.DONE


def _run_info(model: Identity, precision: Precision, options: Options) -> RunInfo:
    """What is about to run."""
    from engine.journal import RunInfo

    asked = {**options.to_json(), "precision": precision.value}
    return RunInfo(f"mglmm {__version__}", model.name, model.sha256, asked, mask_score=model.config.mask_score)


@contextmanager
def _open(job: _Job, *, in_order: bool) -> Iterator[Model]:
    """The model, in this process if it is one on one device."""
    from engine.pipeline.pipeline import Pipeline
    from engine.workers.fleet import Fleet, describe

    workers = job.workers
    if len(workers) == 1:
        pipeline = Pipeline(open_model(job.place, job.precision, workers[0].device), job.options)
        batch = f"{pipeline.batch_size} answers are written together"
        click.echo(f"mglmm: {clean(job.model)} on {describe(workers)}; {batch}", err=True)
        yield partial(pipeline.run, in_order=in_order)
        return
    click.echo(f"mglmm: {clean(job.model)} in {len(workers)} processes: {describe(workers)}", err=True)
    warn_of_runtime(*(worker.device for worker in workers))
    with Fleet(job.place, job.precision, workers, job.options) as fleet:
        yield partial(fleet.run, in_order=in_order)


def _count(photographs: Photographs, progress: PhotoProgress) -> None:
    """Count the photographs meanwhile: a large tree takes a while to walk."""
    from engine.images.sources import count_sources

    if photographs.total is not None:
        progress.expect(photographs.total)
        return

    def count() -> None:
        # What is wrong with an input is reported by the walk that matters.
        with suppress(UsageError, OSError):
            total = count_sources(photographs.inputs, photographs.out)
            if total is not None:
                progress.expect(total)

    threading.Thread(target=count, name="count", daemon=True).start()


def _drive(model: Model, sources: Iterator[Source], results: Results, progress: PhotoProgress) -> None:
    """Run the photographs through."""
    from engine.records import Failure, PhotoRecord

    other_sizes = 0
    remarks: Counter[Remark] = Counter()
    for source, entry in model(sources):
        results.add(source, entry)
        if isinstance(entry, PhotoRecord):
            other_sizes += _has_other_size(source, entry)
            remarks.update(entry.remarks)
        if isinstance(entry, Failure):
            progress.failed += 1
            progress.note(f"mglmm: {entry.file_name}: {entry.stage}: {entry.reason}")
        progress.reach(results.settled, results.skipped)
    if other_sizes:
        progress.note(
            f"mglmm: {_photographs(other_sizes)} not of the size that the list says, as those that EXIF turns: "
            "masks and sizes are those of the upright photograph"
        )
    if turned := remarks["turned"]:
        progress.note(
            f"mglmm: {_photographs(turned)} stored turned (EXIF): tools that don't turn photographs show the masks in "
            "wrong places; mglmm export --save-images writes upright copies"
        )
    if several := remarks["several pictures"]:
        progress.note(f"mglmm: {_photographs(several)} from files of several pictures: the first of each was taken")


def _has_other_size(source: Source, record: PhotoRecord) -> bool:
    """Whether its list says that a photograph has another size."""
    said = [(source.image or {}).get(side) for side in ("width", "height")]
    return None not in said and said != [record.width, record.height]


def _report_damage(results: FolderResults) -> None:
    """Say which lines of the journal can't be used."""
    before = results.before
    if before and before.damaged:
        first, *more = before.damaged
        lines = f"line {first} and {len(more)} more are damaged" if more else f"line {first} is damaged"
        click.echo(f"mglmm: {before.path}: {lines}: photographs of such lines are done again", err=True)
    if before and before.left_aside:
        click.echo(f"mglmm: {before.path}: {before.left_aside}", err=True)


def _stopped(results: Results, progress: PhotoProgress) -> str:
    """How far it came, and how to go on."""
    done = progress.done - progress.failed
    line = f"mglmm: stopped; {_photographs(done)} done"
    if progress.failed:
        line += f", {progress.failed} failed"
    if not results.where:
        return line
    command = shlex.join(["mglmm", *(word for word in sys.argv[1:] if word != "--fresh")])
    return f"{line}, {done + progress.skipped} in all; to go on: {command}"


def _summarise(progress: PhotoProgress, photographs: Photographs, results: Results) -> None:
    from engine.images.sources import say_left_out

    done = progress.done - progress.failed
    wrong = len(photographs.faults)
    faults = f"{wrong} {'entry' if wrong == 1 else 'entries'} left out" if wrong else ""
    parts = (faults, say_left_out(photographs.left_out), results.where and f"wrote {results.where}")
    wrote = "".join(f"; {part}" for part in parts if part)
    if not progress.done:
        progress.note(f"mglmm: nothing to do; done before: {_photographs(results.skipped)}{wrote}")
        return
    if not done and not results.skipped:
        progress.note(f"mglmm: no photograph could be done, {progress.failed} failed{wrote}")
        return
    before = f" ({results.skipped} before)" if results.skipped else ""
    rate = f", {progress.rate:.2f} per second" if done else ""
    line = f"mglmm: {_photographs(done)} done{before}{rate}"
    if progress.failed:
        line += f"; {progress.failed} failed"
    progress.note(line + wrote)


def _photographs(count: int) -> str:
    return "1 photograph" if count == 1 else f"{count} photographs"
