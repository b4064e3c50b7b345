"""`mglmm convert`: what it writes, says, and answers to wrong use."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.model.checkpoint import load
from mglmm_cli.main import main
from tests.engine.convert.making import Made, make, make_llava


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return make(tmp_path)


def run(*args: object) -> int:
    """`mglmm convert ARGS...`; its exit code."""
    with pytest.raises(SystemExit) as exit:
        main(["convert", *map(str, args)])
    assert isinstance(exit.value.code, int)
    return exit.value.code


def test_the_model_can_be_used_at_once(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(made.folder, tmp_path / "out") == 0
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert lines[0] == "family: mglmm (keys begin with model.segment_encoder.)"
    assert lines[-1] == f"wrote {tmp_path / 'out'}"
    checkpoint = load(str(tmp_path / "out"))
    assert checkpoint.decoder is not None
    assert checkpoint.config.name == "checkpoint"


def test_a_llava_and_a_sam(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    llava = make_llava(tmp_path)
    options = ["--sam", tmp_path / "sam.pth", "--family", "mglmm", "--vision-tower", llava.tower]
    assert run(llava.folder, tmp_path / "out", *options) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "family: mglmm, a starting point (config.json names LlavaLlamaForCausalLM)"
    assert "initialised: 4 tensors (text_hidden_fcs.0.weight, ...): drawn at random with a fixed seed" in lines
    assert load(str(tmp_path / "out")).decoder is not None


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (("nowhere", "out"), "nowhere: no such directory"),
        (("nowhere",), "'OUT'"),
        (("checkpoint", "clip"), "clip: exists and is not an empty folder"),
        (("checkpoint", "out", "--family", "llava"), "'llava' is not one of"),
        (("checkpoint", "out", "--family", "lisa"), "--family lisa, but it is mglmm"),
        (("checkpoint", "out", "--sam", "nowhere.pth"), "nowhere.pth"),
        (("checkpoint", "out", "--vision-tower", "nowhere"), "--vision-tower nowhere: no such directory"),
        (("checkpoint/model.safetensors", "out"), "is a file; SRC is a checkpoint's directory"),
    ],
)
def test_wrong_use_gets_one_line(
    made: Made, tmp_path: Path, args: tuple[str, ...], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"checkpoint", "clip", "out", "checkpoint/model.safetensors"}
    assert run(*(tmp_path / arg if arg in places else arg for arg in args)) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert hint in said.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint", "clip"]
