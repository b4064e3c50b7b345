"""What every benchmark does: open the questions, get the answers, score them, report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from engine import __version__
from engine.atomic import require_folder
from engine.errors import UsageError
from mglmm_cli.options import open_model

if TYPE_CHECKING:
    from trainer.benchmarks.benchmark import Report, Scoring
    from trainer.benchmarks.registry import Opened, Selection
    from trainer.metrics.mgsc import Prediction
    from trainer.metrics.similarity import TextModel

_JOURNAL = "journal.jsonl"
_WORST = "worst"


@dataclass(frozen=True, slots=True)
class _Answers:
    """The answers, and where they come from."""

    by_id: Mapping[str, Prediction]
    notes: tuple[str, ...] = ()
    model: str = ""
    model_hash: str = ""
    precision: str = ""


def run(name: str, given: Mapping[str, Any]) -> None:
    """Run a benchmark.

    Args:
        name: which.
        given: its options.

    Raises:
        UsageError: if data or predictions are not as they should be.
    """
    _check(given)
    from engine.model.precision import Precision, named, require
    from mglmm_cli.eval.table import print_differences, print_report
    from trainer.benchmarks.benchmark import Scoring
    from trainer.benchmarks.compare import compare
    from trainer.benchmarks.left_out import noted
    from trainer.benchmarks.published import row
    from trainer.benchmarks.registry import Selection, open_benchmark
    from trainer.benchmarks.results import RESULTS, Stored, read_result, write_result

    chosen = Selection(
        benchmark=name,
        dataset=given.get("dataset", ""),
        split=given["split"],
        data=given["data"],
        images=given.get("images"),
        predictions=given["predictions"],
        limit=given["limit"],
        task=given.get("task", ""),
    )
    if not given["predictions"]:
        require(named(given["precision"]) or Precision.FLOAT32, given["device"])
    earlier = read_result(given["compare"]) if given["compare"] else None
    opened = open_benchmark(chosen)
    similarity = _text_model(given, chosen)
    answers = _from_files(opened, given["predictions"]) if given["predictions"] else _from_model(opened, chosen, given)
    if given["write_predictions"]:
        opened.write(given["write_predictions"], answers.by_id)
    scoring = Scoring(given["protocol"], similarity, given.get("spice", False))
    report = noted(_scored_report(opened, answers, scoring, given["predictions"]), opened.left_out)
    baseline = opened.benchmark.score(opened.baseline, scoring).scores if opened.baseline else {}
    # Neither a part of a set nor a truth out of the predictions is what the paper scored.
    whole = given["limit"] is None and given["data"] is not None and not opened.left_out.total
    paper = row(name, chosen.dataset, chosen.split) if whole else {}
    scored = _scored(chosen, given, opened, answers, similarity)
    title = " ".join(part for part in (name, chosen.dataset, chosen.task, chosen.split, given["protocol"]) if part)
    print_report(title, answers.model or "predictions", report, baseline, paper, answers.notes)
    if given["out"]:
        write_result(given["out"], scored, report, paper, baseline)
        _note(f"wrote {given['out'] / RESULTS}")
    if earlier:
        print_differences(compare(Stored(scored, report.items), earlier))
    if given["worst"]:
        _show_worst(given, title, scored.answers_hash, opened, answers, report)


def _scored_report(opened: Opened, answers: _Answers, scoring: Scoring, predictions: Path | None) -> Report:
    try:
        return opened.benchmark.score(answers.by_id, scoring)
    except UsageError as error:
        raise UsageError(f"{predictions}: {error}" if predictions else str(error)) from None


def _check(given: Mapping[str, Any]) -> None:
    context = click.get_current_context()
    if given["predictions"]:
        for name in ("model", "precision", "device"):
            if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
                raise click.UsageError(f"--predictions are scored without a model: leave out --{name}")
    elif given["data"] is None:
        raise click.UsageError("say with --data where the data set lies")
    for name in ("worst", "fresh"):
        if given[name] and not given["out"]:
            raise click.UsageError(f"--{name} needs an output folder: say which with -o")
    if given["fresh"] and given["predictions"]:
        raise click.UsageError("--fresh asks a model again; leave it out with --predictions")
    for name in ("out", "write_predictions"):
        if given[name]:
            require_folder(given[name])


def _from_files(opened: Opened, path: Path) -> _Answers:
    found = opened.read(path)
    return _Answers(found.answers, found.notes)


def _from_model(opened: Opened, chosen: Selection, given: Mapping[str, Any]) -> _Answers:
    """Ask the model; with an output folder, answers of an interrupted run are taken from its journal."""
    from contextlib import ExitStack

    from engine.journal import Journal, RunInfo, Start, now
    from engine.records import PhotoRecord
    from mglmm_cli.console import PhotoProgress
    from trainer.benchmarks.asking import Asker, to_prediction
    from trainer.benchmarks.benchmark import data_hash

    checkpoint = open_model(given["model"], given["precision"], given["device"])
    questions = opened.benchmark.questions
    found: dict[str, Prediction] = {}
    with ExitStack() as stack:
        journal = None
        if given["out"]:
            options: dict[str, object] = {
                "benchmark": chosen.benchmark,
                "set": chosen.dataset,
                "split": chosen.split,
                "data": data_hash(opened.benchmark)[:12],
                "precision": checkpoint.precision.value,
            }
            if children := max((question.children for question in questions), default=0):
                options["children"] = children
            info = RunInfo(
                f"mglmm {__version__}",
                checkpoint.name,
                checkpoint.sha256,
                options,
                now(),
                mask_score=checkpoint.config.mask_score,
            )
            given["out"].mkdir(parents=True, exist_ok=True)
            journal = stack.enter_context(Journal(given["out"] / _JOURNAL, Start(info), fresh=given["fresh"]))
            for question in questions:
                place = journal.find(question.id)
                if place and place.done:
                    record = journal.read(place)
                    assert isinstance(record, PhotoRecord)  # the place is of one that was answered
                    found[question.id] = opened.recognise(to_prediction(record))
            journal.begin()
        left = [question for question in questions if question.id not in found]
        progress = stack.enter_context(PhotoProgress())
        progress.expect(len(questions))
        if found:
            progress.note(f"mglmm: {len(found)} of {len(questions)} questions were answered before")
        for done, (question, record) in enumerate(Asker(checkpoint).run(left), start=1):
            if journal:
                journal.append(record)
            found[question.id] = opened.recognise(to_prediction(record))
            progress.reach(done, len(questions) - len(left))
        if journal:
            journal.finish()
    return _Answers(found, (), checkpoint.name, checkpoint.sha256, checkpoint.precision.value)


def _text_model(given: Mapping[str, Any], chosen: Selection) -> TextModel | None:
    """The text model that was named, or the default one; None where none is needed or installed."""
    if "text_model" not in given or chosen.task == "refer":
        return None
    from trainer.metrics.similarity import TextModel, default_folder

    folder = given["text_model"] or default_folder()
    return TextModel(folder, device=given["device"]) if folder else None


def _scored(
    chosen: Selection, given: Mapping[str, Any], opened: Opened, answers: _Answers, similarity: TextModel | None
) -> Any:
    from trainer.benchmarks.benchmark import data_hash
    from trainer.benchmarks.results import Scored, answers_hash, versions

    return Scored(
        tool=f"mglmm {__version__}",
        benchmark=chosen.benchmark,
        dataset=" ".join(part for part in (chosen.dataset, chosen.task) if part),
        split=chosen.split,
        protocol=given["protocol"],
        data_hash=data_hash(opened.benchmark),
        questions=len(opened.benchmark.questions),
        answers_hash=answers_hash(answers.by_id.values()),
        model=answers.model,
        model_hash=answers.model_hash,
        predictions=str(given["predictions"] or ""),
        options={
            "data": str(given["data"] or ""),
            "limit": given["limit"],
            "precision": answers.precision,
            "device": given["device"],
            "spice": given.get("spice", False),
        },
        text_model=similarity.name if similarity else "",
        text_model_hash=similarity.sha256 if similarity else "",
        versions=versions(),
    )


def _show_worst(
    given: Mapping[str, Any], title: str, key: str, opened: Opened, answers: _Answers, report: Report
) -> None:
    from mglmm_cli.eval.worst import write_worst

    written = write_worst(given["out"] / _WORST, title, key, given["worst"], opened.benchmark, answers.by_id, report)
    if written.unseen:
        _note(
            f"{written.unseen} of the {written.photographs} worst answers are shown on grey: their photographs can't "
            "be read: --images says where they lie"
        )
    _note(f"wrote {written.index}")


def _note(line: str) -> None:
    click.echo(f"mglmm: {line}", err=True)
