"""Training checkpoints: keys of wrappers, and LoRA factors merged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.convert.convert import convert
from engine.convert.lora import merged, scale
from engine.errors import UsageError
from engine.model.checkpoint import load
from tests.engine.convert.making import Made, rewrite, write_json

QUERY = "model.layers.0.self_attn.q_proj"
RANK = 4

STYLES: dict[str, Callable[[str], str]] = {
    "plain": lambda key: key,
    "peft": lambda key: f"base_model.model.{key}",
    "parallel peft": lambda key: f"module.base_model.model.{key}",
    "newer peft": lambda key: (
        "base_model.model." + key.replace("q_proj.weight", "q_proj.base_layer.weight").replace(".default.", ".")
    ),
}


def _factors() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(RANK, 32, generator=generator), torch.randn(32, RANK, generator=generator)


def _unmerged(made: Made) -> dict[str, Tensor]:
    a, b = _factors()
    return made.tensors | {f"{QUERY}.lora_A.default.weight": a, f"{QUERY}.lora_B.default.weight": b}


def _query(folder: Path) -> Tensor:
    return load(str(folder)).model.get_parameter(f"language_model.{QUERY}.weight")


@pytest.mark.parametrize("style", STYLES)
def test_factors_are_merged_whatever_the_keys_look_like(made: Made, tmp_path: Path, style: str) -> None:
    rename = STYLES[style]
    rewrite(made, {rename(key): tensor for key, tensor in _unmerged(made).items()}, "global_step100.bin")
    report = convert(str(made.folder), tmp_path / "out")
    a, b = _factors()
    expected = made.tensors[f"{QUERY}.weight"] + 16 / RANK * b @ a
    assert torch.allclose(_query(tmp_path / "out"), expected, atol=1e-6)
    assert report.facts["LoRA"] == "1 pairs merged, rank 4 scaled by 4"
    others = load(str(tmp_path / "out")).model.state_dict()
    for name, tensor in made.network.state_dict().items():
        assert name == f"language_model.{QUERY}.weight" or torch.equal(others[name], tensor), name


def test_the_merge_is_that_of_the_public_recipe(parity: Path, tmp_path: Path) -> None:
    source = shutil.copytree(parity / "mglmm" / "micro" / "ckpt", tmp_path / "source")
    whole = load_file(source / "model.safetensors") | load_file(
        parity / "mglmm" / "micro" / "lora_unmerged.safetensors"
    )
    (source / "model.safetensors").unlink()
    torch.save(whole, source / "trained.pth")
    convert(str(source), tmp_path / "out", vision_tower=str(parity / "mglmm" / "micro" / "clip-tiny-patch14-56"))
    mine = load_file(tmp_path / "out" / "model.safetensors")
    expected = load_file(parity / "mglmm" / "micro" / "lora_expected.safetensors")
    compared = [key.removeprefix("merged.") for key in expected if key.startswith("merged.")]
    assert len(compared) == 4
    for key in compared:
        assert torch.allclose(mine[f"language_model.{key}"], expected[f"merged.{key}"], rtol=0, atol=1e-6), key


def test_a_merged_weight_keeps_its_type() -> None:
    a, b = _factors()
    weight = torch.randn(32, 32).bfloat16()
    result = merged(weight, a, b, 2.0)
    assert result.dtype == torch.bfloat16
    assert torch.equal(result, (weight.float() + 2.0 * b @ a).bfloat16())


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (None, "", 16 / 8),
        ("adapter_config.json", '{"lora_alpha": 32}', 32 / 8),
        ("adapter_config.json", '{"lora_alpha": 32, "use_rslora": true}', 32 / 8**0.5),
        ("config.yaml", "lora_r: 8\nlora_alpha: 24\nlr: 0.1\n", 24 / 8),
        ("config.yaml", "!!python/object:argparse.Namespace\nlora_alpha: 12\n", 12 / 8),
        ("config.yaml", "lr: 0.1\n", 16 / 8),
    ],
)
def test_alpha_is_read_where_it_is_written(tmp_path: Path, name: str | None, content: str, expected: float) -> None:
    if name is not None:
        (tmp_path / name).write_text(content)
    assert scale(tmp_path, 8) == pytest.approx(expected)


def test_a_factor_alone_is_refused(made: Made, tmp_path: Path) -> None:
    tensors = _unmerged(made)
    del tensors[f"{QUERY}.lora_B.default.weight"]
    rewrite(made, tensors)
    with pytest.raises(UsageError, match=r"q_proj\.lora_A\.default\.weight lacks its other half"):
        convert(str(made.folder), tmp_path / "out")


def test_factors_without_their_weight_are_refused(made: Made, tmp_path: Path) -> None:
    tensors = _unmerged(made)
    del tensors[f"{QUERY}.weight"]
    rewrite(made, tensors)
    with pytest.raises(UsageError, match=rf"has no weight {QUERY}\.weight to go to"):
        convert(str(made.folder), tmp_path / "out")


def test_factors_of_another_shape_are_refused(made: Made, tmp_path: Path) -> None:
    rewrite(made, _unmerged(made) | {f"{QUERY}.lora_B.default.weight": torch.zeros(16, RANK)})
    with pytest.raises(UsageError, match=r"LoRA factors \(4, 32\) and \(16, 4\) don't fit .*q_proj\.weight \(32, 32\)"):
        convert(str(made.folder), tmp_path / "out")


def test_two_adapters_are_refused(made: Made, tmp_path: Path) -> None:
    rewrite(made, _unmerged(made) | {f"{QUERY}.lora_A.other.weight": torch.zeros(RANK, 32)})
    with pytest.raises(UsageError, match="are LoRA factors of one weight"):
        convert(str(made.folder), tmp_path / "out")


def test_one_weight_under_two_names_is_refused(made: Made, tmp_path: Path) -> None:
    twice = made.tensors | {"base_model.model.lm_head.weight": made.tensors["lm_head.weight"].clone()}
    rewrite(made, twice)
    with pytest.raises(UsageError, match="are the same weight"):
        convert(str(made.folder), tmp_path / "out")


def test_factors_of_a_replaced_part_are_named(made: Made, tmp_path: Path) -> None:
    prefix = "model.segment_encoder."
    sam = {key.removeprefix(prefix): t for key, t in made.tensors.items() if key.startswith(prefix)}
    torch.save(sam, tmp_path / "sam.pth")
    target = f"{prefix}mask_decoder.iou_prediction_head.layers.0"
    factors = {f"{target}.lora_A.weight": torch.zeros(2, 32), f"{target}.lora_B.weight": torch.zeros(32, 2)}
    rewrite(made, made.tensors | factors)
    report = convert(str(made.folder), tmp_path / "out", sam=tmp_path / "sam.pth")
    assert set(report.ignored["LoRA of a part that is taken from elsewhere"]) == set(factors)
    assert "LoRA" not in report.facts


def test_damaged_adapter_settings_are_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "adapter_config.json", {})
    assert scale(tmp_path, 8) == 2
    (tmp_path / "adapter_config.json").write_text(json.dumps([]))
    with pytest.raises(UsageError, match=r"adapter_config\.json: does not hold a table"):
        scale(tmp_path, 8)
