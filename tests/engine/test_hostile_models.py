"""Model folders from strangers: refused in one line, before anything is built, fetched or run."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from engine.errors import UsageError
from engine.model import llama
from engine.model.checkpoint import HEAD, identify, load, load_part
from engine.model.config import ModelConfig
from engine.model.language_config import LanguageType
from engine.model.manifest import write_manifest
from engine.model.mglmm import build_mask_head
from engine.model.presets import PRESETS

LARGE = json.loads(PRESETS["bench-768"].model_dump_json())


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A model folder to be spoilt."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "model"))


def _line(folder: Path) -> str:
    """What is said of a folder that can't be loaded."""
    with pytest.raises(UsageError) as caught:
        load(str(folder))
    message = str(caught.value)
    assert "\n" not in message and str(folder) in message
    return message


def _spoil(content: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    spoilt: dict[str, Any] = json.loads(json.dumps(content))
    *parents, last = path.split(".")
    place = spoilt
    for parent in parents:
        place = place[parent]
    place[last] = value
    return spoilt


def _rewrite(folder: Path, path: str, value: object) -> None:
    config = folder / "config.json"
    config.write_text(json.dumps(_spoil(json.loads(config.read_text()), path, value)))
    write_manifest(folder)


# --- config.json ------------------------------------------------------------------------------------------------------

_SIZES = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
_BAD = (10**9, 10**40, 0, -1, 1.5, "1", True, [1], float("nan"))


@pytest.mark.parametrize("name", [*_SIZES, "vocab_size", "head_dim", "max_position_embeddings"])
@pytest.mark.parametrize("value", _BAD, ids=str)
def test_sizes_of_the_language_model_are_bounded(folder: Path, name: str, value: object) -> None:
    _rewrite(folder, f"language.options.{name}", value)
    assert f"config.json: language.options.{name}: Input should be" in _line(folder)


@pytest.mark.parametrize(
    "path",
    [f"global_encoder.{name}" for name in (*_SIZES[:4], "image_size", "patch_size")]
    + [f"pixel_encoder.{name}" for name in ("image_size", "patch_size", "embed_dim", "depth", "num_heads")]
    + ["pixel_encoder.out_channels", "pixel_encoder.window_size", "max_new_tokens"]
    + [f"mask_decoder.{name}" for name in ("dim", "depth", "mlp_dim", "num_heads", "num_multimask_outputs")],
)
@pytest.mark.parametrize("value", [10**6, -1, 1.5, float("nan")], ids=str)
def test_sizes_of_the_other_parts_are_bounded(path: str, value: object) -> None:
    with pytest.raises(ValueError, match=path.rpartition(".")[2]):
        ModelConfig.model_validate_json(json.dumps(_spoil(LARGE, path, value)))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("global_encoder.num_attention_heads", 7),
        ("global_encoder.hidden_act", "os.system"),
        ("global_encoder.layer_norm_eps", float("inf")),
        ("global_encoder.patch_size", 1),
        ("pixel_encoder.patch_size", 1),
        ("pixel_encoder.patch_size", 4096),
        ("pixel_encoder.num_heads", 7),
        ("pixel_encoder.global_attn_indexes", [10**9]),
        ("pixel_encoder.std", [0, 0, 0]),
        ("pixel_encoder.mean", [float("nan")] * 3),
        ("name", "x" * 100_000),
        ("language.model_type", "gpt2"),
        ("language.options.hidden_act", "os.system"),
        ("language.options.rope_parameters", {"rope_type": "own"}),
        ("language.options.rope_parameters", {"rope_type": "yarn", "factor": float("inf")}),
        ("language.options.rms_norm_eps", float("nan")),
    ],
    ids=str,
)
def test_values_that_make_no_network_are_refused(path: str, value: object) -> None:
    with pytest.raises(ValueError):
        ModelConfig.model_validate_json(json.dumps(_spoil(LARGE, path, value)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("auto_map", {"AutoModelForCausalLM": "evil.Evil"}),
        ("trust_remote_code", True),
        ("attn_implementation", "somebody/kernels"),
        ("_attn_implementation", "somebody/kernels"),
        ("experts_implementation", "somebody/kernels"),
        ("quantization_config", {"quant_method": "bitsandbytes", "load_in_4bit": True}),
        ("_name_or_path", "somebody/model"),
    ],
)
def test_no_option_can_name_code(folder: Path, name: str, value: object) -> None:
    _rewrite(folder, f"language.options.{name}", value)
    assert f"language.options.{name}: Extra inputs are not permitted" in _line(folder)


@pytest.mark.parametrize("backbone", ["hf_hub:somebody/model", "hf-hub:a/b", "local-dir:/tmp/x", "/tmp/x", "../x"])
def test_a_backbone_is_fetched_from_nowhere(folder: Path, backbone: str) -> None:
    _rewrite(folder, "pixel_encoder.backbone", backbone)
    assert "pixel_encoder.pyramid.backbone: String should match pattern" in _line(folder)


@pytest.mark.parametrize(("path", "value"), [("pixel_encoder.backbone", "nobody"), ("mask_decoder.num_heads", 3)])
def test_what_only_a_constructor_knows_is_one_line_too(folder: Path, path: str, value: object) -> None:
    _rewrite(folder, path, value)
    assert "config.json: no network can be built of it: " in _line(folder)


def test_code_beside_a_model_is_not_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As folders on the hub have it: Python files, and a config of transformers that names them."""
    (folder / "modeling_evil.py").write_text("import pathlib\npathlib.Path('harm').touch()\n")
    (folder / "conftest.py").write_text("import pathlib\npathlib.Path('harm').touch()\n")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"auto_map": {"AutoTokenizer": ["modeling_evil.T", None]}})
    )
    write_manifest(folder)
    monkeypatch.chdir(folder)
    assert load(str(folder)).config.name == "tiny"
    assert not (folder / "harm").exists()


def test_a_size_that_is_not_that_of_the_weights_is_refused_before_there_is_memory_for_it(folder: Path) -> None:
    """16 GB for one table: more than a test machine can give is refused by name, not by running out."""
    _rewrite(folder, "language.options.hidden_size", 1 << 16)
    _rewrite(folder, "language.options.intermediate_size", 1 << 18)
    message = _line(folder)
    assert "model.safetensors: " in message and "config.json asks for (" in message
    with pytest.raises(UsageError, match="config.json asks for"):
        load_part(folder, HEAD, build_mask_head)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[" * 100_000, b"[]", b'{"name": 1}', b"{" * 500_000])
def test_a_config_that_is_none(folder: Path, content: bytes) -> None:
    (folder / "config.json").write_bytes(content)
    write_manifest(folder)
    assert "config.json" in _line(folder)


def test_a_config_of_gigabytes_is_not_read(folder: Path) -> None:
    os.truncate(folder / "config.json", 1 << 27)
    write_manifest(folder)
    assert "config.json: 134 MB: too large to be what its name says" in _line(folder)


def test_the_language_models_that_a_config_may_name_are_those_that_run() -> None:
    assert get_args(LanguageType) == llama.SUPPORTED


# --- manifest and files -----------------------------------------------------------------------------------------------


def _manifest(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "manifest.json"
        content = json.loads(path.read_text())
        changed = change(content["files"])
        path.write_text(json.dumps(content if changed is None else changed))

    return spoil


def _raw(text: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / "manifest.json").write_text(text)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_manifest(lambda files: files.update({"../secret": "0"})), "lists '../secret', which is no name of a file"),
        (_manifest(lambda files: files.update({"/etc/passwd": "0"})), "lists '/etc/passwd'"),
        (_manifest(lambda files: files.update({"a\0b": "0"})), "which is no name"),
        (_manifest(lambda files: files.update({"config.json": 3})), "has no files"),
        (_manifest(lambda files: {"files": []}), "has no files"),
        (_manifest(lambda files: []), "does not hold a table"),
        (_manifest(lambda files: files.pop("model.safetensors") and None), "does not list model.safetensors or"),
        (_manifest(lambda files: files.pop("tokenizer.json") and None), "tokenizer.json is not listed in the manifest"),
        (_manifest(lambda files: files.pop("mask_decoder.onnx") and None), "mask_decoder.onnx is not listed"),
        (_manifest(lambda files: files.update({"config.json": "0" * 64})), "does not match its SHA-256"),
        (_raw("[" * 100_000), "can't be read as JSON"),
        (_raw(""), "can't be read as JSON"),
    ],
)
def test_a_manifest_that_does_not_vouch_for_the_files(folder: Path, spoil: Callable[[Path], None], words: str) -> None:
    spoil(folder)
    assert words in _line(folder)
    if "SHA-256" not in words:  # that takes reading the file
        with pytest.raises(UsageError):
            identify(str(folder))


def test_weights_that_somebody_added_are_not_read(folder: Path) -> None:
    os.rename(folder / "model.safetensors", folder / "part.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "part.safetensors"}}))
    write_manifest(folder)
    load(str(folder))
    shutil.copy(folder / "part.safetensors", folder / "model.safetensors")
    assert "model.safetensors is not listed in the manifest" in _line(folder)


@pytest.mark.parametrize("name", ["../part.safetensors", "/etc/passwd", "..", "", "sub/part.safetensors"])
def test_an_index_that_leads_out_of_the_folder(folder: Path, name: str) -> None:
    shutil.copy(folder / "model.safetensors", folder.parent / "part.safetensors")
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    write_manifest(folder)
    assert "which is no name of a file in this folder" in _line(folder)


def test_a_link_out_of_the_folder_is_taken_if_its_content_is_that_of_the_manifest(folder: Path, tmp_path: Path) -> None:
    """The cache of the Hugging Face Hub is made of such links."""
    os.rename(folder / "model.safetensors", tmp_path / "blob")
    (folder / "model.safetensors").symlink_to(tmp_path / "blob")
    load(str(folder))
    with (tmp_path / "blob").open("ab") as file:
        file.write(b"\0")
    assert "does not match its SHA-256" in _line(folder)


def test_a_pickle_is_no_model(folder: Path) -> None:
    torch.save({}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    write_manifest(folder)
    assert "does not list model.safetensors" in _line(folder)


# --- weights ----------------------------------------------------------------------------------------------------------


def _header(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def _entry(dtype: str, shape: list[Any], offsets: list[int]) -> dict[str, Any]:
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04",
        struct.pack("<Q", 1 << 62) + b"{}",
        struct.pack("<Q", 1 << 40) + b"{" + bytes(100),
        _header(b"[" * 200_000),
        _header(_entry("F32", [1 << 62, 1 << 62], [0, 4]), bytes(4)),
        _header(_entry("F32", [1 << 40], [0, 1 << 42]), bytes(4)),
        _header(_entry("F32", [1], [1 << 60, (1 << 60) + 4]), bytes(4)),
        _header(_entry("F32", [-1], [0, 4]), bytes(4)),
        _header(_entry("F32", [1], [4, 0]), bytes(4)),
        _header(_entry("EVIL", [1], [0, 4]), bytes(4)),
        _header(_entry("F32", [1], [0, 4]), bytes(400)),
    ],
)
def test_weights_whose_header_is_absurd(folder: Path, content: bytes) -> None:
    (folder / "model.safetensors").write_bytes(content)
    write_manifest(folder)
    assert "model.safetensors: can't be read as safetensors" in _line(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda old: old.astype(np.int64), "is of type I64, which the network can't have there"),
        (lambda old: old[:-1].copy(), "config.json asks for"),
        (lambda old: old.reshape(-1).copy(), "config.json asks for"),
    ],
)
def test_a_tensor_of_another_shape_or_kind(
    folder: Path, change: Callable[[np.ndarray], np.ndarray], words: str
) -> None:
    tensors = load_file(folder / "model.safetensors")
    name = "language_model.model.embed_tokens.weight"
    save_file(tensors | {name: change(tensors[name])}, folder / "model.safetensors")
    write_manifest(folder)
    assert name in (message := _line(folder)) and words in message


# --- tokenizer --------------------------------------------------------------------------------------------------------


def _tokenizer(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "tokenizer.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return spoil


def _far_away(content: dict[str, Any]) -> None:
    words = content["model"]["vocab"]
    last = max(words, key=words.get)
    words[last] = 2**31


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_tokenizer(_far_away), "the tokenizer has 2147483649 tokens, config.json asks for 400"),
        (_tokenizer(lambda content: content.update(model={"type": "BPE"}, added_tokens=[])), "tokenizer"),
        (_tokenizer(lambda content: content["model"].update(vocab={"a": -1}, merges=[])), "tokenizer"),
        (lambda folder: (folder / "tokenizer.json").write_bytes(b"\xff" * 100) and None, "tokenizer"),
        (lambda folder: (folder / "tokenizer.json").write_text("[" * 100_000) and None, "tokenizer"),
    ],
)
def test_a_tokenizer_that_is_not_of_the_model(folder: Path, spoil: Callable[[Path], None], words: str) -> None:
    spoil(folder)
    write_manifest(folder)
    assert words in _line(folder)
