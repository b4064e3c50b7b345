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
    return _copy(RELEASE, tmp_path)


def _copy(release: Path, place: Path) -> Path:
    folder = place / "release"
    shutil.copytree(release, folder)
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
    "with SAM 3": (
        lambda folder: _edit(folder, lambda config: config.update(architectures=["Sa2VAChatModelSAM3"])),
        "Sa2VAChatModelSAM3 can't be run yet",
    ),
    "Phi-3": (
        lambda folder: _edit(folder, lambda config: config["llm_config"].update(architectures=["Phi3ForCausalLM"])),
        "its language model is Phi3ForCausalLM",
    ),
    "InternViT-6B": (
        lambda folder: _edit(folder, lambda config: config["vision_config"].update(norm_type="rms_norm")),
        "its vision tower is an InternViT-6B, as in Sa2VA-26B, which can't be run yet",
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


OVER_QWEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "Qwen2.5-VL": (
        lambda folder: _edit(folder, lambda config: config["text_config"].update(model_type="qwen2_5_vl_text")),
        "its parts are qwen3_vl and qwen2_5_vl_text; of Qwen's those of Qwen3-VL can be run",
    ),
    "no vision": (
        lambda folder: _edit(folder, lambda config: config.pop("vision_config")),
        "config.json lacks vision_config",
    ),
    "sizes that contradict the weights": (
        lambda folder: _edit(folder, lambda config: config["vision_config"].update(intermediate_size=48)),
        "config.json and the other parts ask for",
    ),
    "positions in another order": (
        lambda folder: _edit(
            folder, lambda config: config["text_config"]["rope_scaling"].update(mrope_interleaved=False)
        ),
        "mrope_interleaved",
    ),
    "a block that gives no features": (
        lambda folder: _edit(folder, lambda config: config["vision_config"].update(deepstack_visual_indexes=[0, 1])),
        "nobody uses what becomes global_encoder.tower.deepstack_merger_list.2",
    ),
    "a vocabulary that is cut": (
        lambda folder: _tensors(
            folder,
            lambda found: found.update(
                {name: found[name][:500].clone() for name in found if "embed_tokens" in name or "lm_head" in name}
            ),
        ),
        "the tokenizer has 507 tokens, the embeddings have 500 rows",
    ),
}


@pytest.mark.parametrize("case", OVER_QWEN)
def test_what_does_not_fit_over_qwen_is_named(tmp_path: Path, case: str) -> None:
    spoil, line = OVER_QWEN[case]
    folder = _copy(RELEASE.parents[1] / "qwen3vl" / "ckpt", tmp_path)
    spoil(folder)
    with pytest.raises(UsageError) as error:
        convert(str(folder), tmp_path / "out")
    assert line in str(error.value) and "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["release"]


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_named(release: Path, tmp_path: Path, case: str) -> None:
    spoil, line = WRONG[case]
    spoil(release)
    with pytest.raises(UsageError) as error:
        convert(str(release), tmp_path / "out")
    assert line in str(error.value) and "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["release"]
