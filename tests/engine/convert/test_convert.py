"""Whole conversions: the three families, what can be given beside them, and checkpoints that don't fit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.convert.convert import convert
from engine.convert.report import Report
from engine.errors import UsageError
from engine.model.checkpoint import load
from engine.model.config import ClipConfig, SamEncoderConfig
from tests.engine.convert.making import PARITY, Made, edit_json, make, rewrite, write_json


def _same_weights(folder: Path, made: Made) -> None:
    mine = load(str(folder)).model.state_dict()
    theirs = made.network.state_dict()
    assert mine.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert torch.equal(mine[name], tensor), name


@pytest.mark.parametrize(("family", "regions"), [("mglmm", False), ("glamm", False), ("glamm", True), ("lisa", False)])
def test_every_part_arrives(tmp_path: Path, family: str, regions: bool) -> None:
    made = make(tmp_path, family, regions=regions)
    report = convert(str(made.folder), tmp_path / "out")
    loaded = load(str(tmp_path / "out"))
    assert loaded.config == made.config.model_copy(update={"name": "checkpoint"})
    _same_weights(tmp_path / "out", made)
    assert report.facts["family"].startswith(f"{family} (keys begin with model.")
    assert report.ignored == {
        "computed from the config": (
            "model.layers.0.self_attn.rotary_emb.inv_freq",
            "vision_model.embeddings.position_ids",
        )
    }
    assert sum(part.tensors for part in report.parts) == len(made.network.state_dict())
    assert sum(part.parameters for part in report.parts) == sum(t.numel() for t in made.network.state_dict().values())
    assert not report.made
    assert not report.notes


def test_types_are_kept(made: Made, tmp_path: Path) -> None:
    rewrite(made, {key: tensor.bfloat16() for key, tensor in made.tensors.items()})
    convert(str(made.folder), tmp_path / "out")
    stored = load_file(tmp_path / "out" / "model.safetensors")
    key = "language_model.model.norm.weight"
    assert stored[key].dtype == torch.bfloat16
    assert torch.equal(stored[key], made.network.state_dict()[key].bfloat16())
    assert stored["global_encoder.tower.pre_layrnorm.weight"].dtype == torch.float32


def test_shards_are_read_and_written(made: Made, tmp_path: Path) -> None:
    (made.folder / "model.safetensors").unlink()
    places = {}
    for number, key in enumerate(made.tensors):
        places[key] = f"pytorch_model-0000{number % 3 + 1}-of-00003.bin"
    for name in set(places.values()):
        torch.save({key: made.tensors[key] for key, place in places.items() if place == name}, made.folder / name)
    write_json(made.folder / "pytorch_model.bin.index.json", {"metadata": {}, "weight_map": places})
    report = convert(str(made.folder), tmp_path / "out", shard=50_000)
    assert len(list((tmp_path / "out").glob("model-*.safetensors"))) > 2
    assert (tmp_path / "out" / "model.safetensors.index.json").is_file()
    _same_weights(tmp_path / "out", made)
    language = next(part for part in report.parts if part.name == "language_model")
    assert language.sources == ("3 files (lm_head.*, model.*)",)
    (made.folder / "pytorch_model-00002-of-00003.bin").unlink()
    with pytest.raises(UsageError, match=r"1 of 3 files of weights are missing: pytorch_model-00002"):
        convert(str(made.folder), tmp_path / "other")


def test_a_plain_sam_replaces_that_of_the_checkpoint(made: Made, tmp_path: Path) -> None:
    other = make(tmp_path / "other", "lisa", seed=5)
    prefix = "model.visual_model."
    sam = {key.removeprefix(prefix): t for key, t in other.tensors.items() if key.startswith(prefix)}
    save_file(sam, tmp_path / "sam_vit_b.safetensors")
    report = convert(str(made.folder), tmp_path / "out", sam=tmp_path / "sam_vit_b.safetensors")
    mine = load(str(tmp_path / "out")).model.state_dict()
    for name, tensor in mine.items():
        source = other if name.startswith(("pixel_encoder.", "mask_head.")) else made
        assert torch.equal(tensor, source.network.state_dict()[name]), name
    replaced = report.ignored[f"replaced by --sam {tmp_path / 'sam_vit_b.safetensors'}"]
    assert len(replaced) == sum(key.startswith("model.segment_encoder.") for key in made.tensors)


def test_unused_prompt_weights_may_be_missing(made: Made, tmp_path: Path) -> None:
    unused = ("mask_downscaling", "point_embeddings", "not_a_point_embed")
    rewrite(made, {key: t for key, t in made.tensors.items() if not any(part in key for part in unused)})
    report = convert(str(made.folder), tmp_path / "out")
    (how,) = report.made
    assert how == "zeros, since [SEG] prompts don't use them"
    assert len(report.made[how]) == 10 + 4 + 1
    state = load(str(tmp_path / "out")).model.state_dict()
    assert all(not state[name].any() for name in report.made[how])


def _breaks(made: Made, change: Callable[[Made], object], tmp_path: Path, message: str, **options: str) -> None:
    change(made)
    with pytest.raises(UsageError, match=message):
        convert(str(made.folder), tmp_path / "out", **options)  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["source"]  # nothing half done


def _without(made: Made, *keys: str) -> None:
    rewrite(made, {key: tensor for key, tensor in made.tensors.items() if key not in keys})


def _nameless(made: Made) -> None:
    rewrite(made, {"model.norm.weight": torch.ones(32)})
    edit_json(made.folder / "config.json", architectures=["GPT2Model"])


BROKEN: dict[str, tuple[Callable[[Made], object], str]] = {
    "a missing key": (
        lambda made: _without(made, "model.layers.1.mlp.up_proj.weight"),
        r"checkpoint: 1 key is missing, the first is model\.layers\.1\.mlp\.up_proj\.weight",
    ),
    "several missing keys": (
        lambda made: _without(made, "lm_head.weight", "model.norm.weight"),
        r"2 keys are missing, the first is model\.norm\.weight",
    ),
    "a telling key missing": (
        lambda made: _without(made, "model.segment_encoder.image_encoder.blocks.1.attn.rel_pos_h"),
        r"model\.segment_encoder\.image_encoder\.blocks\.1\.attn\.rel_pos_h is missing",
    ),
    "a wrong shape": (
        lambda made: rewrite(made, made.tensors | {"model.norm.weight": torch.ones(31)}),
        r"pytorch_model\.bin: model\.norm\.weight is \(31,\), the other parts ask for \(32,\)",
    ),
    "an unknown key": (
        lambda made: rewrite(made, made.tensors | {"model.image_newline": torch.ones(32)}),
        r"pytorch_model\.bin: 1 unknown key model\.image_newline",
    ),
    "an unknown part": (
        lambda made: rewrite(made, made.tensors | {"head.a": torch.ones(2), "head.b": torch.ones(2)}),
        r"2 unknown keys, the first is head\.a",
    ),
    "quantised weights": (
        lambda made: rewrite(made, made.tensors | {"lm_head.weight": torch.ones(67, 32, dtype=torch.int8)}),
        r"lm_head\.weight is torch\.int8: quantised weights are not converted",
    ),
    "two families": (
        lambda made: rewrite(made, made.tensors | {"model.visual_model.x": torch.ones(2)}),
        r"keys of several families \(mglmm, lisa\)",
    ),
    "a plain SAM": (
        lambda made: rewrite(made, {"image_encoder.pos_embed": torch.ones(1, 4, 4, 24)}),
        "holds a SAM; give its file with --sam, and a LLaVA directory as SRC",
    ),
    "no family": (
        _nameless,
        "config.json names GPT2Model; say what it is with --family",
    ),
    "a release without SAM": (
        lambda made: _without(made, *(key for key in made.tensors if "segment_encoder" in key)),
        r"holds no SAM; give the file of one \(sam_vit_\*\.pth\) with --sam",
    ),
    "no config.json": (
        lambda made: (made.folder / "config.json").unlink(),
        r"config\.json: missing; copy it from the release that the checkpoint was trained from",
    ),
    "a damaged config.json": (
        lambda made: (made.folder / "config.json").write_text("{"),
        r"config\.json: can't be read as JSON",
    ),
    "a size missing in config.json": (
        lambda made: edit_json(made.folder / "config.json", num_attention_heads=None),
        r"config\.json lacks num_attention_heads",
    ),
    "another out_dim": (
        lambda made: edit_json(made.folder / "config.json", out_dim=256),
        r"out_dim is 256 in config\.json, the mask decoder takes 32",
    ),
    "more layers in config.json": (
        lambda made: edit_json(made.folder / "config.json", num_hidden_layers=3),
        r"9 keys are missing, the first is model\.layers\.2",
    ),
    "a sliding window": (
        lambda made: edit_json(made.folder / "config.json", sliding_window=4096),
        "only models without one are converted",
    ),
    "the CLS token": (
        lambda made: edit_json(made.folder / "config.json", mm_vision_select_feature="cls_patch"),
        "only 'patch' is supported",
    ),
    "no weights": (
        lambda made: (made.folder / "model.safetensors").unlink(),
        r"no weights \(model\.safetensors, pytorch_model\.bin, or one file",
    ),
    "several files of weights": (
        lambda made: (rewrite(made, {}, "a.bin"), rewrite(made, {}, "b.pth")),
        r"2 files of weights and no index: a\.bin, b\.pth; leave the one that is meant",
    ),
    "an index without a table": (
        lambda made: write_json(made.folder / "model.safetensors.index.json", {"weight_map": {}}),
        r"index\.json: has no weight_map",
    ),
    "an index that leads out of the folder": (
        lambda made: write_json(made.folder / "model.safetensors.index.json", {"weight_map": {"a": "../a.bin"}}),
        r"index\.json: lists '\.\./a\.bin', which is no name of a file in this folder",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_does_not_fit_gets_one_line_and_leaves_nothing(made: Made, tmp_path: Path, case: str) -> None:
    _breaks(made, BROKEN[case][0], tmp_path, BROKEN[case][1])


@pytest.mark.parametrize(("family", "named"), [("glamm", "glamm"), ("lisa", "lisa")])
def test_another_family_than_asked_for_is_refused(made: Made, tmp_path: Path, family: str, named: str) -> None:
    message = rf"--family {named}, but it is mglmm \(keys begin with model\.segment_encoder\.\)"
    _breaks(made, lambda made: None, tmp_path, message, family=family)


def test_the_right_family_may_be_asked_for(made: Made, tmp_path: Path) -> None:
    edit_json(made.folder / "config.json", architectures=None)
    report = convert(str(made.folder), tmp_path / "out", family="mglmm")
    assert report.facts["family"] == "mglmm (keys begin with model.segment_encoder.)"


def test_a_file_as_source_is_refused(made: Made, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"is a file; SRC is a checkpoint's directory \(a SAM file is given with --sam"
    ):
        convert(str(made.folder / "model.safetensors"), tmp_path / "out")


@pytest.mark.parametrize(
    ("source", "message"),
    [("nowhere", "nowhere: no such directory"), ("org/name", "org/name: not in the local cache, and the Hugging Face")],
)
def test_a_source_that_is_not_there_is_refused(tmp_path: Path, source: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        convert(source, tmp_path / "out")


def test_a_file_that_is_no_sam_is_refused(made: Made, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"model\.safetensors: no key begins with image_encoder\.: not a SAM file"):
        convert(str(made.folder), tmp_path / "out", sam=made.folder / "model.safetensors")


def test_a_folder_with_files_is_never_written_to(made: Made, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    convert(str(made.folder), tmp_path / "out")  # an empty one is fine
    before = (tmp_path / "out" / "manifest.json").read_bytes()
    with pytest.raises(UsageError, match="out: exists and is not an empty folder"):
        convert(str(made.folder), tmp_path / "out")
    assert (tmp_path / "out" / "manifest.json").read_bytes() == before


def test_a_failure_while_writing_leaves_nothing(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(folder: Path, terms: object) -> None:
        assert (folder / "model.safetensors").is_file()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.convert.folder.write_manifest", fails)
    with pytest.raises(OSError, match="No space left"):
        convert(str(made.folder), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_files_of_a_trainer_are_not_weights(made: Made, tmp_path: Path) -> None:
    rewrite(made, made.tensors, "trained.pt")
    torch.save({}, made.folder / "training_args.bin")
    torch.save({}, made.folder / "optimizer.pt")
    convert(str(made.folder), tmp_path / "out")
    _same_weights(tmp_path / "out", made)


def test_rotary_positions_are_taken_over(made: Made, tmp_path: Path) -> None:
    edit_json(made.folder / "config.json", rope_theta=5000.0, rope_scaling={"type": "linear", "factor": 2.0})
    convert(str(made.folder), tmp_path / "out")
    language = load(str(tmp_path / "out")).model.language_model
    assert language.config.rope_parameters == {"rope_type": "linear", "factor": 2.0, "rope_theta": 5000.0}


def test_the_vocabulary_is_as_long_as_the_embeddings(made: Made, tmp_path: Path) -> None:
    edit_json(made.folder / "config.json", vocab_size=32000)
    report = convert(str(made.folder), tmp_path / "out")
    assert report.notes == ("vocab_size is 32000 in config.json, the embeddings have 67 rows",)
    assert load(str(tmp_path / "out")).config.language.options["vocab_size"] == 67


def test_the_report_says_everything_in_lines(made: Made, tmp_path: Path) -> None:
    report: Report = convert(str(made.folder), tmp_path / "out")
    lines = list(report.lines())
    assert "pixel encoder: SAM with 3 blocks of 24 channels, window 3, 64 pixels" in lines
    assert "vision tower: CLIP, 28 pixels in patches of 14, 4 image tokens" in lines
    assert "projector: mlp2x_gelu" in lines
    assert (
        "text_hidden_fcs: 4 tensors, 2112 parameters (float32), from model.safetensors (model.text_hidden_fcs.0.*)"
        in lines
    )
    assert any(line.startswith("tokens: <im_start> 60, <im_end> 61") for line in lines)
    assert all("\n" not in line for line in lines)


@pytest.mark.skipif(not PARITY.is_dir(), reason="needs ../shared/parity")
@pytest.mark.parametrize(
    ("source", "side", "window", "seg", "projector"),
    [
        ("mglmm/full/ckpt", 256, 5, 404, "mlp2x_gelu"),
        ("mglmm/micro/ckpt", 128, 5, 404, "mlp2x_gelu"),
        ("mglmm/micro/ckpt_sharded_bin", 128, 5, 404, "mlp2x_gelu"),
        ("glamm/ckpt", 128, 5, 404, "mlp2x_gelu"),
        ("lisa/ckpt", 128, 5, 400, "linear"),
    ],
)
def test_official_layouts(tmp_path: Path, source: str, side: int, window: int, seg: int, projector: str) -> None:
    convert(str(PARITY / source), tmp_path / "out")
    loaded = load(str(tmp_path / "out"))
    sam, clip = loaded.config.pixel_encoder, loaded.config.global_encoder
    assert isinstance(sam, SamEncoderConfig)
    assert isinstance(clip, ClipConfig)
    assert (sam.image_size, sam.window_size, sam.global_attn_indexes, sam.num_heads) == (side, window, (1,), 2)
    assert (loaded.tokenizer.seg, loaded.config.projector) == (seg, projector)
    shapes = PARITY / source.split("/ckpt")[0] / "all_keys_with_tower.json"
    if shapes.is_file():
        assert any("vision_tower" in key for key in json.loads(shapes.read_text()))


@pytest.mark.skipif(not PARITY.is_dir(), reason="needs ../shared/parity")
def test_the_same_model_in_two_layouts(tmp_path: Path) -> None:
    for name in ("ckpt", "ckpt_sharded_bin"):
        convert(str(PARITY / "mglmm" / "micro" / name), tmp_path / name)
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("ckpt", "ckpt_sharded_bin"))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.skipif(not PARITY.is_dir(), reason="needs ../shared/parity")
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_plain_sam_beside_an_official_checkpoint(tmp_path: Path, suffix: str) -> None:
    micro = PARITY / "mglmm" / "micro"
    convert(str(micro / "ckpt"), tmp_path / "out", sam=micro / f"tiny_sam_vit_b{suffix}")
    stored = load_file(tmp_path / "out" / "model.safetensors")
    plain = load_file(micro / "tiny_sam_vit_b.safetensors")
    for key, tensor in plain.items():
        name = (
            f"pixel_encoder.vit{key.removeprefix('image_encoder')}" if key.startswith("image") else f"mask_head.{key}"
        )
        assert torch.equal(stored[name], tensor), key


def test_the_source_may_be_copied_anywhere(made: Made, tmp_path: Path) -> None:
    moved = shutil.copytree(made.folder, tmp_path / "moved" / "my-model")
    convert(str(moved), tmp_path / "out", vision_tower=str(made.tower))
    assert load(str(tmp_path / "out")).name == "my-model"
