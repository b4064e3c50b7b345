"""Other people's tools read all masks of an export; each runs where it is installed."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from tests.exporters.formats.tools import TOOLS, Exports

EXAMPLES = Path(__file__).parents[3] / "examples"
COCO = Path(__file__).parents[4] / "shared" / "data" / "coco" / "val" / "images"


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Exports:
    """Of nano's answers about the photographs of COCO, or the examples where those are missing."""
    folder = tmp_path_factory.mktemp("tools")
    photographs = COCO if COCO.is_dir() else EXAMPLES
    command = [sys.executable, "-m", "mglmm_cli", "segcap", str(photographs), "-o", str(folder / "out")]
    subprocess.run(command, check=True, capture_output=True)
    return Exports.make(folder / "out", folder / "exports")


@pytest.mark.slow
@pytest.mark.parametrize("tool", TOOLS)
def test_all_masks_are_read(tool: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        version(tool)
    except PackageNotFoundError:
        pytest.skip(f"{tool} is not installed; .ci/run has an environment for it")
    exports = request.getfixturevalue("exports")
    monkeypatch.setenv("YOLO_OFFLINE", "true")
    assert TOOLS[tool](exports).shapes == len(exports.segcap["annotations"])
