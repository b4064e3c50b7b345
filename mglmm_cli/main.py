"""The program `mglmm`: its commands, and the one place where errors become one line and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from engine import __version__
from engine.errors import MglmmError, UsageError
from mglmm_cli.codes import Exit
from mglmm_cli.lazy import LazyCommand, LazyGroup
from mglmm_cli.text import clean

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

cli = LazyGroup(
    name="mglmm",
    help="Photographs in, COCO JSON with multi-granularity captions and a mask per phrase out.",
    context_settings=_SETTINGS,
    lazy={
        "segcap": LazyCommand("mglmm_cli.segcap:segcap", "Caption and segment folders of photographs."),
        "status": LazyCommand("mglmm_cli.status:status", "Say how far the run of a folder is."),
        "rebuild": LazyCommand("mglmm_cli.rebuild:rebuild", "Write a folder's outputs from its journal again."),
        "ask": LazyCommand("mglmm_cli.ask:ask", "Put questions about one photograph."),
        "data": LazyCommand("mglmm_cli.data:data", "Make and look at training records."),
        "train": LazyCommand("mglmm_cli.train:train", "Train a model by a recipe."),
        "merge": LazyCommand("mglmm_cli.merge:merge", "Merge a LoRA adapter into a model's weights."),
        "eval": LazyCommand("mglmm_cli.eval:evaluate", "Score a model on annotated photographs."),
        "doctor": LazyCommand("mglmm_cli.doctor:doctor", "Examine a model: sizes, memory, soundness."),
        "bench": LazyCommand("mglmm_cli.bench:bench", "Measure speed and memory, beside plain loops."),
        "convert": LazyCommand("mglmm_cli.convert:convert", "Turn a public checkpoint into a model folder."),
        "export": LazyCommand("mglmm_cli.export:export", "Write a model's parts in other formats."),
    },
)
cli = click.version_option(__version__, prog_name="mglmm", message="%(prog)s %(version)s")(cli)


def main(args: Sequence[str] | None = None) -> None:
    """Run the program and exit."""
    code = _run(args)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of the pipe has left; keep the interpreter from trying, and complaining, once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _run(args: Sequence[str] | None) -> int:
    try:
        # A command returns its exit code, or None for 0.
        return cli.main(args, prog_name="mglmm", standalone_mode=False) or Exit.DONE
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return Exit.USAGE
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "mglmm"
        return _fail(f"{_lower(error.format_message()).rstrip('.')}; see '{path} --help'", Exit.USAGE)
    except click.ClickException as error:
        return _fail(error.format_message(), Exit.FAILED)
    except UsageError as error:
        return _fail(str(error), Exit.USAGE)
    except MglmmError as error:
        return _fail(str(error), Exit.FAILED)
    except click.Abort:
        return _fail("interrupted", Exit.INTERRUPTED)
    except OSError as error:
        # The disk is full, a folder may not be written: the user's to mend, no traceback needed.
        if error.errno is None:
            raise
        place = f": {error.filename}" if error.filename else ""
        return _fail(f"{_lower(error.strerror or 'input or output failed')}{place}", Exit.FAILED)


def _fail(message: str, code: Exit) -> Exit:
    """Say in one line what is wrong."""
    click.echo(f"mglmm: {clean(' '.join(message.split()))}", err=True)
    return code


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
