"""The public models' small twins: where they lie, and how tests open them.

Each is a checkpoint in its official layout with random weights, inputs, and the numbers that the official code gave.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from torch import Tensor

from engine.convert.convert import convert

PARITY = Path(os.environ.get("MGLMM_PARITY") or Path(__file__).resolve().parents[2] / "shared" / "parity")
NAMES = ("mglmm/micro", "mglmm/full", "glamm", "lisa")


def root(name: str) -> Path:
    """The folder of one of `NAMES`; skips the test where it is missing."""
    folder = PARITY / name
    if not folder.is_dir():
        pytest.skip(f"no reference numbers at {folder} (set MGLMM_PARITY)")
    return folder


def converted(name: str, folder: Path) -> Path:
    """Convert the checkpoint of one of `NAMES` into a model folder inside `folder`; returns it."""
    source = root(name)
    (tower,) = source.glob("clip-*")
    out = folder / name.replace("/", "_")
    convert(str(source / "ckpt"), out, vision_tower=str(tower))
    return out


def inputs(name: str) -> dict[str, Tensor]:
    """What the official code was given."""
    return load_file(root(name) / "inputs.safetensors")


def expected(name: str) -> dict[str, Tensor]:
    """What the official code gave."""
    return load_file(root(name) / "expected.safetensors")


def meta(name: str) -> dict[str, Any]:
    """Prompts, sizes and losses."""
    content: dict[str, Any] = json.loads((root(name) / "meta.json").read_text(encoding="utf-8"))
    return content
