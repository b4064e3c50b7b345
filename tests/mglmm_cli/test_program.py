"""The program as a whole: what it loads, lists and says when it is used wrongly."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from engine import __version__
from mglmm_cli.lazy import LazyGroup
from mglmm_cli.main import cli
from mglmm_cli.options import warn_of_runtime
from tests import program

HEAVY = ("torch", "numpy", "transformers", "PIL", "onnxruntime", "pydantic", "rich", "trainer", "exporters")


def run(*args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """`mglmm ARGS...` in a process of its own."""
    return program.run_text(*args, cwd=Path.cwd(), stdin=stdin)


def loaded_by(code: str) -> set[str]:
    """Names of the heavy modules that `code` loads."""
    listing = f"{code}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True, timeout=120)
    return {name.partition(".")[0] for name in done.stdout.split()} & set(HEAVY)


def test_the_program_loads_nothing_heavy() -> None:
    assert not loaded_by("import mglmm_cli.main")


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["segcap", "-h"], ["ask", "-h"], ["eval", "mgsc", "-h"]])
def test_help_loads_nothing_heavy(args: list[str]) -> None:
    code = f"from mglmm_cli.main import cli\ncli.main({args!r}, prog_name='mglmm', standalone_mode=False)"
    assert not loaded_by(code)


def test_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"mglmm {__version__}\n", "")


@pytest.mark.parametrize(
    ("args", "commands"),
    [
        (
            [],
            (
                "segcap status stats rebuild merge-runs export report demo "
                "ask data train merge eval doctor bench convert models"
            ).split(),
        ),
        (["data"], ["convert", "formats", "show"]),
        (["eval"], ["mgsc", "gcg", "refer", "grefer", "reason", "caption", "region", "panoptic", "photos"]),
        (["export"], "coco coco-panoptic yolo labelme label-studio cvat imagefolder onnx".split()),
    ],
)
def test_help_lists_all_commands(args: list[str], commands: list[str]) -> None:
    result = CliRunner().invoke(cli, [*args, "--help"])
    assert result.exit_code == 0
    section = result.output.partition("Commands:\n")[2]
    # What goes on in a second line stands further in.
    assert re.findall(r"^  (\S+)", section, re.MULTILINE) == commands


def every_command(group: LazyGroup, path: str = "") -> list[tuple[str, click.Command]]:
    """All commands below a group, by their path."""
    context = click.Context(group)
    found: list[tuple[str, click.Command]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found.append((f"{path}{name}", command))
        if isinstance(command, LazyGroup):
            found += every_command(command, f"{path}{name} ")
    return found


@pytest.mark.parametrize(("path", "command"), every_command(cli))
def test_a_command_answers_to_the_name_it_is_listed_under(path: str, command: click.Command) -> None:
    assert command.name == path.split()[-1]
    assert command.help


def test_completion_knows_the_commands() -> None:
    code = "import os; os.environ.update(_MGLMM_COMPLETE='bash_complete', COMP_WORDS='mglmm se', COMP_CWORD='1')"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nfrom mglmm_cli.main import main\nmain([])"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.split() == ["plain,segcap"]


def test_without_a_command_the_help_is_shown() -> None:
    done = run()
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: mglmm")


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        ("sgcap", "no such command"),
        ("--colour", "no such option"),
        ("segcap -o out", "'INPUT...'"),
        ("segcap photos --list x.csv -o out", "leave out INPUT"),
        ("segcap photos", "'-o'"),
        ("segcap nowhere -o out", "nowhere: no such file or folder"),
        ("segcap *.jpg -o out", "*.jpg: no photograph matches"),
        ("segcap empty -o out", "empty: no photographs in this folder"),
        ("segcap - -o out", "stdin is empty"),
        ("segcap empty -o", "'-o'"),
        ("segcap empty -o full", "full is not empty"),
        ("segcap . -o - --fresh", "--fresh needs an output folder"),
        ("status nowhere", "nowhere: no such file or directory: give the output folder of mglmm segcap"),
        ("status full/kept.txt", "full/kept.txt is not a folder: give the output folder of mglmm segcap"),
        ("rebuild nowhere", "nowhere: no such file or directory: give the output folder of mglmm segcap"),
        ("status full", "full holds no journal.jsonl"),
        ("rebuild full", "full holds no journal.jsonl"),
        ("segcap empty -o full/kept.txt", "full/kept.txt is not a folder"),
        ("segcap . -o out --overlay", ".: no photographs in this folder (1 file left out: 1 txt)"),
        ("segcap . -o - --overlay", "--overlay needs an output folder"),
        ("segcap . -o out --granularity coarse", "'coarse' is not one of"),
        ("segcap . -o out --max-children x", "'x' is not a valid integer"),
        ("segcap . -o out --instruction Why? --label cat", "leave out --label"),
        ("segcap . -o out --instruction Why? --granularity both", "leave out --granularity"),
        ("segcap . -o out --instruction Why? --max-children 2", "leave out --max-children"),
        ("segcap . -o out --label cat --granularity both", "leave out --granularity"),
        ("segcap . -o out --label cat --max-children 2", "leave out --max-children"),
        ("segcap . -o out --label=", "--label is empty"),
        ("segcap . -o out --granularity panoptic --max-children 2", "leave out --max-children"),
        ("segcap . -o out --seed 1", "--temperature"),
        ("segcap . -o out --temperature 0", "--temperature"),
        ("ask nowhere.jpg Why?", "nowhere.jpg"),
        ("ask full/kept.txt", "'QUESTION'"),
        ("ask full/kept.txt Why? --box 1,2,3", "four numbers"),
        ("ask full/kept.txt Why? --overlay out.gif", ".jpg"),
        ("train nowhere.yaml -o out", "nowhere.yaml"),
        ("train full/kept.txt", "'-o'"),
        ("eval photos --data full --set bdd", "no set 'bdd'"),
        ("export onnx", "'MODEL'"),
    ],
)
def test_wrong_usage_gets_one_line(args: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept.txt").touch()
    monkeypatch.chdir(tmp_path)
    done = run(*args.split())
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("mglmm: ")
    assert hint in done.stderr
    assert not Path("out").exists()


def test_a_photograph_that_cannot_be_asked_about(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    done = run("ask", str(broken), "What is this?")
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "broken.jpg: open: " in done.stderr


def test_onnx_runtime_that_lost_its_cuda_is_named_where_cuda_is_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.model.onnx_runtime.conflict", lambda: "both are installed")
    warn_of_runtime("cpu", "cpu")
    assert capsys.readouterr().err == ""
    warn_of_runtime("cpu", "cuda:1", "cuda:2")
    assert capsys.readouterr().err == "mglmm: both are installed\n"
