"""`mglmm bench` as a person runs it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import program

ROOT = Path(__file__).parents[2]


def _mglmm(*args: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return program.run_text("bench", *args, cwd=cwd)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def run(place: Path) -> subprocess.CompletedProcess[str]:
    """Two examples, both baselines on the first."""
    options = "--limit 2 --baseline public --baseline generous --baseline-limit 1 --json found.json"
    short = "--granularity panoptic --max-new-tokens 12"
    return _mglmm(ROOT / "examples", *options.split(), *short.split(), cwd=place)


@pytest.fixture(scope="module")
def found(run: subprocess.CompletedProcess[str], place: Path) -> dict[str, Any]:
    assert run.returncode == 0, run.stderr
    content: dict[str, Any] = json.loads((place / "found.json").read_text(encoding="utf-8"))
    return content


def test_everything_is_written(found: dict[str, Any]) -> None:
    assert found["tool"].startswith("mglmm ")
    assert found["model"] == "nano" and len(found["sha256"]) == 64
    assert found["versions"].keys() >= {"python", "torch", "transformers"}
    assert (found["images"], found["failed"], found["threads"], found["device"]) == (2, 0, 1, "cpu")
    assert found["options"]["granularity"] == "panoptic" and found["options"]["max_new_tokens"] == 12
    assert found["stages"].keys() == {"decode", "wait", "encode", "prefill", "decode_tokens", "masks", "finish"}
    for name in ("images_per_second", "load_seconds", "peak_memory_mb", "tokens", "masks", "outside_share"):
        assert found[name] > 0, name
    assert found["roofline_share"] is None


def test_baselines_give_the_same_answers(found: dict[str, Any]) -> None:
    assert list(found["baselines"]) == list(found["ratio"]) == ["public", "generous"]
    for name, baseline in found["baselines"].items():
        assert baseline["images"] == baseline["texts_compared"] == 1
        assert baseline["same_text"] is True
        assert baseline["masks_compared"] > 0 and baseline["mask_agreement"] >= 0.999
        assert found["ratio"][name] == pytest.approx(found["images_per_second"] / baseline["images_per_second"])


def test_tables_go_to_stdout_and_the_rest_to_stderr(run: subprocess.CompletedProcess[str]) -> None:
    for word in ("encoders", "mask decoder", "of it outside the network", "peak memory", "public", "generous"):
        assert word in run.stdout, word
    assert all(line.startswith("mglmm: ") for line in run.stderr.splitlines())


def test_made_photographs_and_answers_of_a_given_length(place: Path) -> None:
    options = "--synthetic 2 --answer-tokens 5 --granularity panoptic --json made.json"
    done = _mglmm(*options.split(), cwd=place)
    assert done.returncode == 0, done.stderr
    made = json.loads((place / "made.json").read_text(encoding="utf-8"))
    assert (made["images"], made["questions"], made["tokens"]) == (2, 2, 10)
    assert made["ratio"] == {}


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        ("", "give folders of photographs"),
        (". --synthetic 2", "give folders of photographs"),
        ("--synthetic 2 --limit 1", "leave out --limit"),
        (". --baseline-limit 2", "does nothing without --baseline"),
        (". --answer-tokens 2 --max-new-tokens 2", "leave out --max-new-tokens"),
        (". --baseline fast", "'fast' is not one of"),
        (". --json nowhere/found.json", "no such folder"),
        ("nowhere", "nowhere: no such file or folder"),
    ],
)
def test_wrong_usage_gets_one_line(args: str, hint: str, tmp_path: Path) -> None:
    done = _mglmm(*args.split(), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("mglmm: ")
    assert hint in done.stderr
