"""The program `mglmm`: its commands, and the one place where errors become one line and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

import click

from engine import __version__
from engine.errors import MglmmError, UsageError
from engine.memory import out_of_memory
from mglmm_cli.codes import Exit
from mglmm_cli.lazy import LazyCommand, LazyGroup
from mglmm_cli.stopping import interruptible
from mglmm_cli.streams import ReaderGone, prepare
from mglmm_cli.text import clean

_MEMORY = (
    "memory ran out: a smaller model, a smaller batch (--batch-size; in a recipe batch_size), fewer "
    "--devices or --precision bfloat16 take less (mglmm doctor says what a model needs)"
)
_WHAT_TO_DO = "'mglmm --debug' shows where; please report it, as README says under 'When something goes wrong'"
_LONGEST = 500
_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@dataclass(slots=True)
class _Report:
    """How failures are said.

    Attributes:
        debug: with the traceback.
    """

    debug: bool = False

    def fail(self, error: BaseException, message: str, code: Exit) -> Exit:
        """Say in one line what is wrong."""
        if self.debug:
            traceback.print_exception(error)
        if code is Exit.INTERRUPTED and sys.stderr.isatty():
            print(file=sys.stderr)  # behind the ^C
        # Not by click, which writes UTF-8 where only ASCII is shown.
        print(f"mglmm: {clean(' '.join(message.split()))}", file=sys.stderr, flush=True)
        return code


def _note_debug(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if isinstance(context.obj, _Report):
        context.obj.debug = value


class _Escaped(BaseException):
    """Carries an error past click, as its cause."""


class _Program(LazyGroup):
    """Does itself what click would do of its own accord: take the end of a file for Ctrl-C, and end where a pipe broke,
    whichever it was."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (BrokenPipeError, EOFError, KeyboardInterrupt) as error:
            raise _Escaped from error


cli = _Program(
    name="mglmm",
    help="Photographs in, COCO JSON with multi-granularity captions and a mask per phrase out.",
    context_settings=_SETTINGS,
    lazy={
        "segcap": LazyCommand("mglmm_cli.segcap:segcap", "Caption and segment folders of photographs."),
        "status": LazyCommand("mglmm_cli.status:status", "Say how far the run of a folder is."),
        "stats": LazyCommand("mglmm_cli.stats:stats", "Count captions, masks, categories and what was left out."),
        "rebuild": LazyCommand("mglmm_cli.rebuild:rebuild", "Write a folder's outputs from its journal again."),
        "merge-runs": LazyCommand("mglmm_cli.merge_runs:merge_runs", "Join the runs of several folders into one."),
        "export": LazyCommand("mglmm_cli.export:export", "Write labels as other tools take them."),
        "report": LazyCommand("mglmm_cli.report:report", "Write a page to look at a folder's answers in."),
        "demo": LazyCommand("mglmm_cli.demo.command:demo", "Look at a photograph in the browser."),
        "ask": LazyCommand("mglmm_cli.ask:ask", "Put questions about one photograph."),
        "data": LazyCommand("mglmm_cli.data:data", "Make and look at training records."),
        "train": LazyCommand("mglmm_cli.train:train", "Train a model by a recipe."),
        "merge": LazyCommand("mglmm_cli.merge:merge", "Merge a LoRA adapter into a model's weights."),
        "eval": LazyCommand("mglmm_cli.eval:evaluate", "Score a model on annotated photographs."),
        "doctor": LazyCommand("mglmm_cli.doctor:doctor", "Examine a model: sizes, memory, soundness."),
        "bench": LazyCommand("mglmm_cli.bench:bench", "Measure speed and memory, beside plain loops."),
        "convert": LazyCommand("mglmm_cli.convert:convert", "Turn a public checkpoint into a model folder."),
        "models": LazyCommand("mglmm_cli.models:models", "List or remove converted releases."),
    },
)
cli = click.version_option(__version__, prog_name="mglmm", message="%(prog)s %(version)s")(cli)
cli = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    envvar="MGLMM_DEBUG",
    callback=_note_debug,
    help="Show the traceback of an error.",
)(cli)


def main(args: Sequence[str] | None = None) -> None:
    """Run the program and exit."""
    try:
        prepare()
        interruptible()
        code = _run(args)
    except KeyboardInterrupt:
        code = Exit.INTERRUPTED
    sys.exit(code)


def _run(args: Sequence[str] | None) -> int:
    report = _Report()
    try:
        if not all(map(_can_be_typed, args or ())):
            raise click.UsageError("an argument holds a NUL or half a character, which no shell hands over")
        # A command returns its exit code, or None for 0.
        code: int = cli.main(args, prog_name="mglmm", standalone_mode=False, obj=report) or Exit.DONE
        sys.stdout.flush()
        return code
    except ReaderGone:
        return Exit.READER_GONE
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return Exit.USAGE
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "mglmm"
        return report.fail(error, f"{_lower(error.format_message()).rstrip('.')}; see '{path} --help'", Exit.USAGE)
    except click.ClickException as error:
        return report.fail(error, error.format_message(), Exit.FAILED)
    except (Exception, KeyboardInterrupt, _Escaped) as error:
        return report.fail(error, *_explained(error))


def _can_be_typed(word: str) -> bool:
    try:
        return b"\0" not in os.fsencode(word)
    except UnicodeEncodeError:
        return False


def _explained(error: BaseException) -> tuple[str, Exit]:
    """What a failure means to the user."""
    if isinstance(error, _Escaped) and error.__cause__:
        return _explained(error.__cause__)
    if _interrupted(error):
        return "interrupted", Exit.INTERRUPTED
    if out_of_memory(error) and not (isinstance(error, MglmmError) and "memory" in str(error)):
        return _MEMORY, Exit.FAILED
    if isinstance(error, MglmmError):
        return str(error), Exit.USAGE if isinstance(error, UsageError) else Exit.FAILED
    if isinstance(error, OSError) and error.errno is not None:
        # The disk is full, a folder may not be written: the user's to mend.
        place = f": {error.filename}" if error.filename else ""
        return f"{_lower(error.strerror or 'input or output failed')}{place}", Exit.FAILED
    return _unexpected(error), Exit.FAILED


def _interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C is what happened; in the middle of an import, say, other errors come of it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, KeyboardInterrupt | click.Abort):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def _unexpected(error: BaseException) -> str:
    # That of another process has its traceback in it.
    first, *more = str(error).strip().splitlines() or [""]
    text = f"{first} ... {more[-1]}" if more else first
    return f"unexpected error: {type(error).__name__}: {text[:_LONGEST]}; {_WHAT_TO_DO}"


def _lower(message: str) -> str:
    return message if message[:2].isupper() else message[:1].lower() + message[1:]  # a name as it stands in the help
