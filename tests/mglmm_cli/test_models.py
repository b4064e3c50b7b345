"""An official release by its name on the command line, and `mglmm models`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import mglmm
from engine.releases import cache
from mglmm_cli.main import main
from tests.engine.convert.making import PARITY
from tests.hub_cache import COMMIT, lay

RELEASE = PARITY / "sa2va" / "internvl" / "ckpt"
PHOTOGRAPH = Path(__file__).parents[2] / "examples" / "astronaut.jpg"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the hub with `org/Small-1B`, and an empty one of converted releases; no network."""
    if not RELEASE.is_dir():
        pytest.skip(f"no release at {RELEASE}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("MGLMM_CACHE", str(tmp_path / "mglmm"))
    lay(tmp_path / "hub", "org/Small-1B", RELEASE)
    return tmp_path / "hub"


def run(*args: object) -> int:
    """`mglmm ARGS...`; its exit code."""
    with pytest.raises(SystemExit) as exit:
        main([str(arg) for arg in args])
    assert isinstance(exit.value.code, int)
    return exit.value.code


def test_a_release_by_its_name(hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(PHOTOGRAPH, tmp_path)
    call = ["segcap", tmp_path / "astronaut.jpg", "--model", "org/Small-1B", "--max-new-tokens", 4]
    call += ["--instruction", "Segment the person."]
    assert run(*call, "-o", tmp_path / "out") == 0
    said = capsys.readouterr().err
    assert f"mglmm: org/Small-1B: converted once, about 8.4 MB into {tmp_path / 'mglmm' / 'models'}\n" in said
    assert "mglmm: org/Small-1B on cpu" in said
    written = json.loads((tmp_path / "out" / "segcap.json").read_text(encoding="utf-8"))
    assert "Small-1B" in json.dumps(written["info"]) and len(written["captions"]) == 1
    assert written["info"]["mask_score"] == "predicted_iou"
    # Both parts for ONNX Runtime that convert writes are there, and a second start converts nothing.
    assert run("doctor", "org/Small-1B", "--json") == 0
    checked = capsys.readouterr()
    assert "converted" not in checked.err
    states = {check["name"]: check["status"] for check in json.loads(checked.out)["checks"]}
    assert states["manifest"] == states["exported mask decoder"] == "ok"
    assert mglmm.load("org/Small-1B").name == "Small-1B"


def test_list_and_remove(hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "mglmm" / "models"
    assert run("models") == 0
    assert capsys.readouterr().err == f"no converted releases in {place}\n"
    mglmm.load("org/Small-1B")
    lay(hub, "org/Small-1B", RELEASE, commit=COMMIT[::-1])
    mglmm.load("org/Small-1B")
    capsys.readouterr()
    assert run("models") == 0
    listed = capsys.readouterr().out
    rows = [line.split() for line in listed.splitlines() if "org/" in line]
    assert {tuple(row[:2]) for row in rows} == {("org/Small-1B", COMMIT[:12]), ("org/Small-1B", COMMIT[::-1][:12])}
    assert all(row[3] == "MB" and 7 < float(row[2]) < 12 for row in rows)
    assert run("models", "remove", f"org/Small-1B@{COMMIT[:7]}") == 0
    said = capsys.readouterr().err
    assert said.startswith(f"removed org/Small-1B {COMMIT[:12]}, ")
    assert f"its download stays in {hub}: 'hf cache rm model/org/Small-1B'" in said
    assert [entry.release.revision for entry in cache.entries()] == [COMMIT[::-1]]
    assert run("models", "remove", "org/Small-1B") == 0
    assert not [path for path in place.iterdir() if path.suffix != ".lock"]
    capsys.readouterr()
    assert run("models", "remove", "org/Small-1B") == 2
    assert "no converted release of that name" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["segcap", "ask", "bench", "doctor", "export"])
def test_a_release_that_is_not_here_gets_one_line(
    hub: Path, tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "org/Other-1B"
    calls: dict[str, list[object]] = {
        "segcap": [PHOTOGRAPH, "-o", tmp_path / "out", "--model", name],
        "ask": [PHOTOGRAPH, "What?", "--model", name],
        "bench": [PHOTOGRAPH, "--model", name],
        "doctor": [name],
        "export": ["onnx", name],
    }
    assert run(command, *calls[command]) == 2
    said = capsys.readouterr().err
    assert said.splitlines()[-1].startswith(f"mglmm: no folder '{name}'; as a hub name: {name}: not in the local cache")
    assert "HF_HUB_OFFLINE" in said
