"""`mglmm doctor` as a person runs it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import program

ROOT = Path(__file__).parents[2]
NANO = ROOT / "engine" / "weights" / "nano"


def _doctor(*args: str | Path) -> subprocess.CompletedProcess[str]:
    return program.run_text("doctor", *args, cwd=ROOT)


def test_the_embedded_model_is_sound() -> None:
    done = _doctor("nano")
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("Parts", "language_model", "Memory, estimated", "This machine", "Checks", "are those of a pass"):
        assert words in done.stdout
    assert "failed" not in done.stdout and "skipped" not in done.stdout
    assert sum(line.startswith("  float16 ") for line in done.stdout.splitlines()) == 1


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(shutil.copytree(NANO, tmp_path_factory.mktemp("models") / "damaged"))
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x7f")
    return folder


def test_a_damaged_model_gets_exit_code_1(damaged: Path) -> None:
    done = _doctor(damaged)
    assert (done.returncode, done.stderr) == (1, "")
    (line,) = (line for line in done.stdout.splitlines() if "failed" in line and "manifest" in line)
    assert "model.safetensors: damaged or changed" in line


def test_json_holds_everything(damaged: Path) -> None:
    done = _doctor(damaged, "--json")
    assert (done.returncode, done.stderr) == (1, "")
    report = json.loads(done.stdout)
    assert report["passed"] is False
    assert {part["name"] for part in report["parts"]} >= {"pixel_encoder", "language_model", "mask_head"}
    assert len(report["memory"]) == 5 * 3 and report["memory"][0]["precision"] == "float32"
    assert {device["name"] for device in report["devices"]} >= {"cpu"}
    assert {"manifest": "failed", "config": "ok", "self-test": "skipped"}.items() <= {
        check["name"]: check["status"] for check in report["checks"]
    }.items()


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        ([], "'MODEL'"),
        (["no-such-model"], "no model 'no-such-model'"),
        (["nano", "--precision", "int2"], "'int2' is not one of"),
        (["nano", "--device", "quantum"], "no device 'quantum'"),
    ],
)
def test_wrong_usage_gets_one_line(args: list[str], hint: str) -> None:
    done = _doctor(*args)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert hint in done.stderr
