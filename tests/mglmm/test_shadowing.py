"""Other people's `engine`, `trainer` and `exporters`: each is named in one line, before it breaks anything."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from runpy import run_path
from types import ModuleType

import pytest

import engine
import mglmm
from mglmm.shadowing import intruder

ROOT = Path(__file__).parents[2]
FORMS = ["{}.py", "{}/__init__.py"]


def _run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`python WORDS...` in a folder, with this checkout on the path behind it."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def _put(folder: Path, form: str, name: str) -> Path:
    path = folder / form.format(name)
    path.parent.mkdir(exist_ok=True)
    path.write_text("raise SystemExit('the intruder runs')\n")
    return path


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["engine", "trainer", "exporters"])
def test_the_program_names_an_intruder_and_fails(tmp_path: Path, form: str, name: str) -> None:
    path = _put(tmp_path, form, name)
    done = _run(tmp_path, "-m", "mglmm_cli", "--version")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"mglmm: {path} takes the place of mglmm's own package '{name}'")
    assert done.stderr.count("\n") == 1 and "run from another folder" in done.stderr and "pipx" in done.stderr


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["engine", "exporters"])
def test_an_import_names_an_intruder(tmp_path: Path, form: str, name: str) -> None:
    path = _put(tmp_path, form, name)
    code = "try:\n import mglmm\nexcept ImportError as error:\n print(error)"
    done = _run(tmp_path, "-c", code)
    assert done.stdout.startswith(f"{path} takes the place of mglmm's own package '{name}'")
    assert done.stdout.count("\n") == 1


def test_what_harms_nobody_is_let_pass(tmp_path: Path) -> None:
    for name in ("engine", "trainer", "exporters"):  # without an __init__.py ours come before them
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes.py").touch()
    done = _run(tmp_path, "-m", "mglmm_cli", "--version")
    assert (done.returncode, done.stdout) == (0, f"mglmm {engine.__version__}\n"), done.stderr
    # A program that imports mglmm has no use for its trainer, and may have one of its own; so may the program's folder
    # have a file called mglmm.
    _put(tmp_path, "{}.py", "trainer")
    assert _run(tmp_path, "-c", "import mglmm; print(mglmm.__version__)").stdout == f"{engine.__version__}\n"
    (tmp_path / "trainer.py").unlink()
    _put(tmp_path, "{}.py", "mglmm")
    assert _run(tmp_path, "-m", "mglmm_cli", "--version").returncode == 0


def test_ours_are_ours() -> None:
    assert intruder("engine", "trainer", "exporters") is None


def test_a_module_that_is_loaded_already_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = ModuleType("engine")
    theirs.__file__ = "/home/somebody/engine.py"
    monkeypatch.setitem(sys.modules, "engine", theirs)
    assert (intruder("engine") or "").startswith("/home/somebody/engine.py takes the place")


def test_a_package_that_another_distribution_has_written_over_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mglmm", "trainer"):
        (tmp_path / name).mkdir()
    shutil.copy(ROOT / "mglmm" / "shadowing.py", tmp_path / "mglmm")
    shutil.copy(ROOT / "trainer" / "__init__.py", tmp_path / "trainer")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "trainer"]:
        monkeypatch.delitem(sys.modules, name)
    look = run_path(str(tmp_path / "mglmm" / "shadowing.py"))["intruder"]
    assert look("trainer") is None
    (tmp_path / "trainer" / "__init__.py").write_text("from trainer.model import *\n")
    assert look("trainer").startswith(str(tmp_path / "trainer" / "__init__.py"))


def test_the_door_is_light_and_lists_what_it_offers(tmp_path: Path) -> None:
    done = _run(tmp_path, "-c", "import mglmm, sys; print(*sys.modules)")
    assert not {"torch", "numpy", "PIL", "engine.errors"} & set(done.stdout.split())
    assert sorted(dir(mglmm)) == sorted(mglmm.__all__)
    for name in mglmm.__all__:
        assert getattr(mglmm, name) is not None
    with pytest.raises(AttributeError, match="'lood'"):
        mglmm.lood  # type: ignore[attr-defined]  # noqa: B018
