"""ONNX Runtime as it is imported: it writes nothing home, and is installed once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine.model.onnx_runtime import conflict
from engine.model.sources import DEFAULT

ROOT = Path(__file__).parents[3]
FOLDERS = ("mglmm", "mglmm_cli", "engine", "trainer", "exporters", "benchmarks", "tests")


def _installed(folder: Path, *names: str) -> None:
    for name in names:
        place = folder / f"{name.replace('-', '_')}-7.0.dist-info"
        place.mkdir()
        (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 7.0\n")


def test_the_home_folder_stays_empty(tmp_path: Path) -> None:
    code = (
        "import sys; from engine.model.onnx_runtime import onnxruntime as o; "
        "o.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider'])"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_"))}
    environment |= {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-c", code, str(DEFAULT / "mask_decoder.onnx")], env=environment, check=True, timeout=120
    )
    assert list(tmp_path.rglob("*")) == []


def test_nothing_else_imports_it() -> None:
    importing = re.compile(r"^\s*(?:import|from) onnxruntime\b", re.MULTILINE)
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    found = [path for path in files if importing.search(path.read_text(encoding="utf-8"))]
    assert [path.relative_to(ROOT).as_posix() for path in found] == ["engine/model/onnx_runtime.py"]


def test_two_installations_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert conflict() is None
    _installed(tmp_path, "onnxruntime-gpu")
    assert conflict() is None
    _installed(tmp_path, "onnxruntime")
    line = conflict()
    assert line is not None and line.startswith("onnxruntime 7.0 and onnxruntime-gpu 7.0 are both installed")
    assert line.endswith("pip uninstall onnxruntime onnxruntime-gpu, then pip install onnxruntime-gpu")
