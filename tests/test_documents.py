"""The commands of README.md and docs: every bash block below a `<!-- run -->` is run, every other one is understood."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from mglmm_cli.main import cli
from tests import program

ROOT = Path(__file__).parents[1]
MARKED = re.compile(r"<!-- run -->\s*```bash\n(.*?)```", re.DOTALL)
PLAIN = re.compile(r"```bash\n(.*?)```", re.DOTALL)
INLINE = re.compile(r"`(mglmm [a-z][^`\n]*)`")
BETWEEN = "|;&<>()\n"
TEXTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the examples, where the blocks run one after the other, as a reader would run them."""
    folder = tmp_path_factory.mktemp("reader")
    for name in ("examples", "photos"):
        shutil.copytree(ROOT / "examples", folder / name)
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment in which `mglmm` and `python` are those under test."""
    programs = tmp_path_factory.mktemp("bin")
    python = programs / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    with program.command(programs / "mglmm"):
        yield os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}


def _commands() -> Iterator[tuple[str, list[str]]]:
    """Every call of `mglmm` in a block or a sentence, as a shell would split it."""
    for name, content in TEXTS.items():
        for block in (*PLAIN.findall(content), *INLINE.findall(content)):
            text = re.sub(r"\s#.*", "", block.replace("\\\n", " "))
            lexer = shlex.shlex(text, posix=True, punctuation_chars=BETWEEN)
            lexer.whitespace, lexer.whitespace_split = " \t", True
            words = list(lexer)
            for begin in (number for number, word in enumerate(words) if word in ("mglmm", "mglmm_cli")):
                yield name, list(itertools.takewhile(lambda word: not set(word) <= set(BETWEEN), words[begin + 1 :]))


def test_there_are_blocks_to_run() -> None:
    assert all(MARKED.search(TEXTS[name]) for name in ("README.md", "docs/reliability.md"))


@pytest.mark.parametrize(
    ("name", "call"), list(_commands()), ids=lambda value: value if isinstance(value, str) else None
)
def test_every_command_and_option_exists(name: str, call: list[str]) -> None:
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group) and call and not call[0].startswith("-"):
        if call[0].isupper():  # stands for any of them
            return
        found = command.get_command(context, call[0])
        assert found is not None, f"{name}: no command {call[0]!r}"
        command, call = found, call[1:]
        context = click.Context(command, parent=context)
    values, rest, _ = command.make_parser(context).parse_args(call)
    assert not rest, f"{name}: {rest} is too much"
    for parameter in command.params:
        value = values.get(parameter.name or "")
        if isinstance(parameter.type, click.Choice) and isinstance(value, str):
            assert value in parameter.type.choices, f"{name}: {value!r} is none of {parameter.type.choices}"


@pytest.mark.parametrize("block", [block for text in TEXTS.values() for block in MARKED.findall(text)])
def test_block(block: str, folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
