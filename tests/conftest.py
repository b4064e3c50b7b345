"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Weights and tokenizers come with packages; a test that would fetch one must fail at once.
os.environ["HF_HUB_OFFLINE"] = "1"

# How long an example takes depends on the machine.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real photographs: `$MGLMM_DATA`, or `shared/data` beside the repository."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    root = Path(os.environ.get("MGLMM_DATA", default))
    if not root.is_dir():
        pytest.skip(f"no real photographs: {root} is missing (set MGLMM_DATA)")
    return root
