"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests import program

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Weights and tokenizers come with packages; a test that would fetch one must fail at once.
os.environ["HF_HUB_OFFLINE"] = "1"
# The cores are shared by the processes that run tests; and sums are the same on every machine.
os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
# Processes that a test starts, wherever it starts them, run this code.
os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])

# How long an example takes depends on the machine.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> Generator[None, int, int]:
    """A process per core, but no more than four, which take 6 GB of memory, and none besides this one for one file."""
    cores = yield
    paths = [Path(argument.partition("::")[0]) for argument in config.args]
    files = {file for path in paths for file in (path.rglob("test_*.py") if path.is_dir() else (path,))}
    return 0 if len(files) == 1 else min(4, cores)


@pytest.fixture(scope="session", autouse=True)
def no_server_is_left() -> Iterator[None]:
    yield
    program.stop()


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real photographs: `$MGLMM_DATA`, or `shared/data` beside the repository."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    root = Path(os.environ.get("MGLMM_DATA", default))
    if not root.is_dir():
        pytest.skip(f"no real photographs: {root} is missing (set MGLMM_DATA)")
    return root


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A browser without a window; a process has one."""
    from tests import browser as browsers

    with browsers.opened() as browser:
        yield browser
