"""Whatever can be typed gets an answer or a line, never a traceback."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from PIL import Image

from mglmm_cli.lazy import LazyGroup
from mglmm_cli.main import _run, cli

LONG_NAME, LONG_PATH = "x" * 300, "x/" * 3000
TEXTS = ("", " ", "-", "--", "caf\udce9", "\udcff", "\ud800", "x" * 5000, "\x1b[2J", "\u202e", "%s{}[]", "😀", "a\0b")
NUMBERS = ("nan", "inf", "-inf", "-1", "0", "1e999", "1_0", "9" * 400, "0x10", "١", "1.5", ",", "nan,0,1,1", "0,0,1")
PATHS = ("loop", "loop/x", "file/x", LONG_NAME, LONG_PATH, "pipe", ".", "folder", "nowhere/x")
ALL = (*TEXTS, *NUMBERS, *PATHS)

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with odd things in it, and one photograph."""
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    Path("folder").mkdir()
    Path("file").write_text("neither JSON nor YAML: [")
    os.mkfifo("pipe")
    Path("photos").mkdir()
    Image.new("RGB", (40, 30), (90, 60, 30)).save("photos/a.png")
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the program; whatever comes of it must be said in lines, the last of them the program's own."""

    def run(*args: str) -> tuple[int, str]:
        code = _run(args)
        said = capsys.readouterr().err
        assert code in (0, 1, 2, 3), args
        assert "unexpected error" not in said and "Traceback" not in said, (args, said)
        assert said.isprintable() or all(line.isprintable() for line in said.splitlines()), said
        if code:
            assert said.splitlines()[-1].startswith("mglmm: "), (args, said)
        return code, said

    return run


def _commands(group: LazyGroup, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, LazyGroup):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name), command


@pytest.mark.parametrize(
    ("path", "command"), _commands(cli), ids=lambda value: value[-1] if type(value) is tuple else ""
)
def test_no_value_of_any_parameter_breaks_the_reading(
    path: tuple[str, ...], command: click.Command, place: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "callback", lambda **_: None)
    for value in ALL:
        run(*path, *[value] * len(command.params))
        run(*path, "--", *[value] * sum(isinstance(parameter, click.Argument) for parameter in command.params))
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.is_flag:
                name = parameter.opts[-1]
                run(*path, *([f"{name}={value}"] if name.startswith("--") else [name, value]))


SEGCAP = ("segcap", "photos", "--granularity", "panoptic", "--max-new-tokens", "2")
ASK = ("ask", "photos/a.png", "--max-new-tokens", "2")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((*SEGCAP, "--instruction=caf\udce9"), "is not text in UTF-8, from place 3 on"),
        ((*SEGCAP, "--label=\udcff"), "is not text in UTF-8, from place 0 on"),
        ((*ASK, "caf\udce9?"), "is not text in UTF-8, from place 3 on"),
        ((*ASK, ""), "mglmm: QUESTION is empty"),
        ((*ASK, "What?", "caf\udce9?"), "is not text in UTF-8, from place 3 on"),
        ((*SEGCAP, "--temperature=nan"), "'nan' is not a number"),
        ((*SEGCAP, "--temperature=inf"), "not in the range"),
        ((*SEGCAP, "--temperature=1e-400"), "not in the range"),
        ((*SEGCAP, "--seed=99999999999999999999"), "not in the range"),
        ((*SEGCAP, "--batch-size=9999999999"), "not in the range"),
        ((*SEGCAP, "--devices=cpu:100000000"), "a number of processes, from 1 to 1024"),
        ((*SEGCAP, "--devices=cpu:" + "9" * 5000), "a number of processes, from 1 to 1024"),
        ((*SEGCAP, "--devices=meta"), "no device 'meta' here"),
        ((*SEGCAP, "--devices="), "no devices ''"),
        ((*SEGCAP, f"--model={LONG_PATH}"), "no model"),
        ((*SEGCAP, "--model=caf\udce9"), "no model"),
        ((*SEGCAP, "--model=loop/x"), "no folder 'loop/x'"),
        ((*SEGCAP, "-o", ""), "--out is empty"),
        ((*SEGCAP, "-o", "loop/x"), "too many levels of symbolic links"),
        ((*SEGCAP, "-o", "loop/x", "--overlay"), "too many levels of symbolic links"),
        ((*SEGCAP, "-o", LONG_NAME), "file name too long"),
        ((*SEGCAP, "-o", "file/x"), "not a directory"),
        ((*SEGCAP, "-o", "pipe"), "is not a folder"),
        ((*ASK, "--box=inf,0,1,1"), "has a number that is not finite"),
        ((*ASK, "--box=nan,nan,nan,nan"), "has a number that is not finite"),
        ((*ASK, "--box=0,0,1e308,1e308"), "is no box inside the image of 40 x 30 pixels"),
        ((*ASK, "--box=1,1,-5,5"), "is no box inside the image"),
        ((*ASK, "--box=0,0,0,0"), "is no box inside the image"),
        ((*ASK, "--box=0,0,1"), "is not four numbers"),
        ((*ASK, "--box=a,b,c,d"), "is not four numbers"),
        ((*ASK, "What?", "--overlay="), "the path is empty"),
        ((*ASK, "What?", "--mask-dir="), "the path is empty"),
        (("bench", "photos", "--limit=99999999999999999999"), "not in the range"),
        (("export", "onnx", "nano", ""), "the path is empty"),
        (("doctor", "caf\udce9"), "no model"),
        (("status", LONG_PATH), "file name too long"),
        (("rebuild", "loop/x"), "too many levels of symbolic links"),
        (("report", "loop/x"), "too many levels of symbolic links"),
        (("report", LONG_PATH), "file name too long"),
        (("report", "folder"), "holds no journal.jsonl"),
        (("report", "folder", "--photos", ""), "the path is empty"),
        (("report", "folder", "--with", ""), "the path is empty"),
        (("demo", "--host", ""), "--host is empty"),
        (("demo", "--host", "caf\udce9"), "choose another with --port or --host"),
        (("demo", "--host", "x" * 5000), "choose another with --port or --host"),
        (("demo", "--port", "0"), "not in the range"),
    ],
    ids=lambda value: repr(value[-1])[:40] if type(value) is tuple else "",
)
def test_a_hostile_value_is_wrong_usage(args: tuple[str, ...], said: str, place: Path, run: Run) -> None:
    if args[0] == "segcap" and "-o" not in args:
        args = (*args, "-o", "out")
    code, line = run(*args)
    assert code == 2 and line.count("\n") == 1 and said in line
    assert not (place / "out").exists()


@pytest.mark.parametrize(
    "question", ["<image>", "<image> <image>", "[SEG] <p> </p> <im_start>", "\x1b[2J", "<s></s>", "\U0001f335\u0301"]
)
def test_a_question_may_hold_whatever_models_use(question: str, tiny_folder: Path, place: Path, run: Run) -> None:
    code, said = run(*ASK, question, "--model", str(tiny_folder))
    assert code == 0 or (code == 2 and said.count("\n") == 1)


def test_a_question_that_is_too_long_is_refused(tiny_folder: Path, place: Path, run: Run) -> None:
    code, said = run(*ASK, "why " * 2000, "--model", str(tiny_folder))
    assert code == 2 and "ask a shorter question" in said


@pytest.mark.parametrize("temperature", ["1e-6", "1e6"])
def test_any_temperature_that_is_taken_can_be_sampled_at(
    temperature: str, tiny_folder: Path, place: Path, run: Run
) -> None:
    assert run(*ASK, "What?", "--temperature", temperature, "--model", str(tiny_folder))[0] == 0


def test_an_output_takes_no_pipes_place(tiny_folder: Path, place: Path, run: Run) -> None:
    Path("pipe.png").hardlink_to("pipe")
    code, said = run(*ASK, "What?", "--overlay", "pipe.png", "--model", str(tiny_folder))
    assert code == 2 and "is a pipe, a device or the like, not a file" in said
    assert Path("pipe.png").is_fifo()
