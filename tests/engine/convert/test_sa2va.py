"""Releases of Sa2VA that don't fit get one line, and leave nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from engine.convert.convert import convert
from engine.errors import UsageError

RELEASE = Path(__file__).parents[4] / "shared" / "parity" / "sa2va" / "internvl" / "ckpt"
pytestmark = pytest.mark.skipif(not RELEASE.is_dir(), reason="needs ../shared/parity/sa2va")


@pytest.fixture
def release(tmp_path: Path) -> Path:
    folder = tmp_path / "release"
    shutil.copytree(RELEASE, folder)
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755)
    return folder


def _edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    change(config)
    path.write_text(json.dumps(config), encoding="utf-8")


def _tensors(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def _without_tokens(folder: Path) -> None:
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["added_tokens"] = [token for token in content["added_tokens"] if token["content"] != "[SEG]"]
    path.write_text(json.dumps(content), encoding="utf-8")


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "over LLaVA": (
        lambda folder: _edit(folder, lambda config: config.update(architectures=["Sa2VAChatModelLlava"])),
        "Sa2VAChatModelLlava can't be run yet; of Sa2VA these can: Sa2VAChatModel, Sa2VAChatModelQwen",
    ),
    "InternLM2": (
        lambda folder: _edit(
            folder, lambda config: config["llm_config"].update(architectures=["InternLM2ForCausalLM"])
        ),
        "its language model is InternLM2ForCausalLM",
    ),
    "an unknown template": (
        lambda folder: _edit(folder, lambda config: config.update(template="vicuna")),
        "its template is vicuna",
    ),
    "another shuffle of pixels": (
        lambda folder: _edit(folder, lambda config: config.update(ps_version="v1")),
        "ps_version",
    ),
    "sizes that contradict the weights": (
        lambda folder: _edit(folder, lambda config: config["vision_config"].update(intermediate_size=64)),
        "config.json and the other parts ask for",
    ),
    "a missing tensor": (
        lambda folder: _tensors(folder, lambda found: found.pop("mlp1.0.weight")),
        "1 tensors are missing",
    ),
    "a key that nobody uses": (
        lambda folder: _tensors(folder, lambda found: found.update(surprise=found["mlp1.0.weight"].clone())),
        "unknown key surprise",
    ),
    "no token for masks": (_without_tokens, "the tokenizer lacks [SEG]"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json: can't be read"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_named(release: Path, tmp_path: Path, case: str) -> None:
    spoil, line = WRONG[case]
    spoil(release)
    with pytest.raises(UsageError) as error:
        convert(str(release), tmp_path / "out")
    assert line in str(error.value) and "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["release"]
