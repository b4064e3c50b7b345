"""Checkpoints that several tests read; those that change one make their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.convert.making import PARITY, Made, make


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """An MGLMM release that the test may change."""
    return make(tmp_path / "source")


@pytest.fixture(scope="session")
def parity() -> Path:
    """The checkpoints in the official layouts."""
    if not PARITY.is_dir():
        pytest.skip("needs ../shared/parity")
    return PARITY
