"""Where the vision tower comes from, and which towers are refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.convert.convert import convert
from engine.errors import UsageError
from engine.model.checkpoint import load
from engine.model.config import ClipConfig
from tests.engine.convert.making import CLIP_STD, Made, edit_json, make, rewrite, write_json

INSIDE = "model.vision_tower.vision_tower."


def _tower(folder: Path) -> dict[str, Tensor]:
    return load(str(folder)).model.global_encoder.state_dict()


def _is_that_of(folder: Path, made: Made) -> bool:
    mine, theirs = _tower(folder), made.network.global_encoder.state_dict()
    return all(torch.equal(mine[name], tensor) for name, tensor in theirs.items())


def _with_tower_inside(made: Made, tower: Path) -> None:
    inside = {INSIDE + key: tensor for key, tensor in load_file(tower / "model.safetensors").items()}
    rewrite(made, made.tensors | inside)


@pytest.mark.parametrize("named", ["clip", "../clip", "/nowhere/clip", None])
def test_the_tower_of_config_json_is_looked_up(made: Made, tmp_path: Path, named: str | None) -> None:
    value = named or str(made.tower)
    edit_json(made.folder / "config.json", vision_tower=value, mm_vision_tower=value)
    if named == "/nowhere/clip":
        with pytest.raises(
            UsageError, match=r"names the vision tower '/nowhere/clip', which is not here; give .* with --vision-tower"
        ):
            convert(str(made.folder), tmp_path / "out")
        return
    convert(str(made.folder), tmp_path / "out")
    assert _is_that_of(tmp_path / "out", made)


def test_it_may_lie_inside_the_checkpoint_s_folder(made: Made, tmp_path: Path) -> None:
    shutil.move(made.tower, made.folder / "clip")
    convert(str(made.folder), tmp_path / "out")
    assert _is_that_of(tmp_path / "out", made)


def test_a_hub_name_that_is_not_in_the_cache(made: Made, tmp_path: Path) -> None:
    name = "openai/clip-vit-large-patch14-336"
    edit_json(made.folder / "config.json", vision_tower=name, mm_vision_tower=name)
    with pytest.raises(UsageError, match=rf"{name}: not in the local cache.*with --vision-tower"):
        convert(str(made.folder), tmp_path / "out")


def test_a_config_json_without_a_tower(made: Made, tmp_path: Path) -> None:
    edit_json(made.folder / "config.json", vision_tower=None, mm_vision_tower=None)
    with pytest.raises(UsageError, match="names no vision tower; give its directory with --vision-tower"):
        convert(str(made.folder), tmp_path / "out")


def test_the_name_that_glamm_has_for_it(made: Made, tmp_path: Path) -> None:
    edit_json(made.folder / "config.json", vision_tower=None, mm_vision_tower=None, vision_module="clip")
    convert(str(made.folder), tmp_path / "out")
    assert _is_that_of(tmp_path / "out", made)


def test_the_option_counts_for_more_than_config_json(made: Made, tmp_path: Path) -> None:
    other = make(tmp_path / "other", seed=7)
    convert(str(made.folder), tmp_path / "out", vision_tower=str(other.tower))
    assert _is_that_of(tmp_path / "out", other)


def test_a_folder_that_is_not_there(made: Made, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--vision-tower nowhere: no such directory"):
        convert(str(made.folder), tmp_path / "out", vision_tower="nowhere")


@pytest.mark.parametrize("beside", [True, False], ids=["its config is there", "told by shapes"])
def test_a_checkpoint_may_hold_its_tower(made: Made, tmp_path: Path, beside: bool) -> None:
    other = make(tmp_path / "other", seed=7)
    _with_tower_inside(made, other.tower)
    if not beside:
        shutil.rmtree(made.tower)
    convert(str(made.folder), tmp_path / "out")
    assert _is_that_of(tmp_path / "out", other)
    assert load(str(tmp_path / "out")).config.global_encoder == made.config.global_encoder


def test_the_option_counts_for_more_than_the_tower_inside(made: Made, tmp_path: Path) -> None:
    other = make(tmp_path / "other", seed=7)
    _with_tower_inside(made, other.tower)
    report = convert(str(made.folder), tmp_path / "out", vision_tower=str(made.tower))
    assert _is_that_of(tmp_path / "out", made)
    ignored = report.ignored[f"the vision tower is that of {made.tower}"]
    assert len(ignored) == len(made.network.global_encoder.state_dict())
    assert all(key.startswith(INSIDE) for key in ignored)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors"])
def test_a_whole_clip_gives_its_vision_half(made: Made, tmp_path: Path, name: str) -> None:
    tensors = load_file(made.tower / "model.safetensors")
    (made.tower / "model.safetensors").unlink()
    tensors |= {
        "text_model.embeddings.position_ids": torch.arange(4),
        "text_model.final_layer_norm.weight": torch.ones(3),
        "text_projection.weight": torch.ones(3, 3),
        "visual_projection.weight": torch.ones(3, 64),
        "logit_scale": torch.tensor(4.6),
    }
    torch.save(tensors, made.tower / name) if name.endswith(".bin") else save_file(tensors, made.tower / name)
    clip = made.config.global_encoder
    assert isinstance(clip, ClipConfig)
    options = clip.model_dump(exclude={"kind", "select_layer"})
    write_json(made.tower / "config.json", {"model_type": "clip", "vision_config": options, "text_config": {}})
    report = convert(str(made.folder), tmp_path / "out")
    assert _is_that_of(tmp_path / "out", made)
    assert len(report.ignored["CLIP beyond its vision tower"]) == 4


def test_a_tower_of_newer_transformers_has_shorter_keys(made: Made, tmp_path: Path) -> None:
    tensors = load_file(made.tower / "model.safetensors")
    shorter = {key.removeprefix("vision_model."): tensor for key, tensor in tensors.items()}
    save_file(shorter, made.tower / "model.safetensors")
    convert(str(made.folder), tmp_path / "out")
    assert _is_that_of(tmp_path / "out", made)


def test_options_of_the_tower_are_taken_over(made: Made, tmp_path: Path) -> None:
    edit_json(made.tower / "config.json", hidden_act="gelu", layer_norm_eps=1e-6, num_attention_heads=2)
    edit_json(made.folder / "config.json", mm_vision_select_layer=-1)
    convert(str(made.folder), tmp_path / "out")
    clip = load(str(tmp_path / "out")).config.global_encoder
    assert isinstance(clip, ClipConfig)
    assert (clip.hidden_act, clip.layer_norm_eps, clip.num_attention_heads, clip.select_layer) == ("gelu", 1e-6, 2, -1)


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("config.json", {"model_type": "siglip_vision_model"}, "only CLIP vision towers are supported"),
        ("config.json", {"image_size": "large"}, r"config\.json: image_size: Input should be a valid integer"),
        (
            "config.json",
            {"intermediate_size": 50},
            r"clip/model\.safetensors: .*fc1\.weight is \(48, 64\), the other parts ask for \(50, 64\)",
        ),
        ("preprocessor_config.json", {"image_mean": [0.5, 0.5, 0.5]}, r"image_mean is \[0\.5, 0\.5, 0\.5\], CLIP's is"),
        ("preprocessor_config.json", {"image_std": CLIP_STD[:2]}, r"image_std is .*, CLIP's is"),
        ("preprocessor_config.json", {"crop_size": 56}, "crop_size is 56, the tower takes 28 pixels"),
        ("preprocessor_config.json", {"size": {"shortest_edge": 30}}, "size is .*30.*, the tower takes 28 pixels"),
    ],
)
def test_a_tower_that_does_not_fit_is_refused(
    made: Made, tmp_path: Path, file: str, changes: dict[str, object], message: str
) -> None:
    edit_json(made.tower / file, **changes)
    with pytest.raises(UsageError, match=message):
        convert(str(made.folder), tmp_path / "out")


def test_a_folder_without_config_json_is_no_tower(made: Made, tmp_path: Path) -> None:
    (made.tower / "config.json").unlink()
    with pytest.raises(UsageError, match=r"config\.json is missing: not a directory of a CLIP vision tower"):
        convert(str(made.folder), tmp_path / "out", vision_tower=str(made.tower))


def test_preprocessing_may_be_unknown(made: Made, tmp_path: Path) -> None:
    (made.tower / "preprocessor_config.json").unlink()
    convert(str(made.folder), tmp_path / "out")
    assert _is_that_of(tmp_path / "out", made)
