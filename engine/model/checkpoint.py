"""A model on disk: a folder with config.json, model.safetensors, tokenizer.json, manifest.json and, once
exported, mask_decoder.onnx. The manifest holds the SHA-256 of every other file and is checked at loading."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.errors import UsageError
from engine.model.config import ModelConfig
from engine.model.mglmm import MGLMM
from engine.model.tokenizer import TextTokenizer

CONFIG, WEIGHTS, MANIFEST, DECODER = "config.json", "model.safetensors", "manifest.json", "mask_decoder.onnx"
EMBEDDED = Path(__file__).resolve().parent.parent / "weights"
"""Models that ship in the package, one folder each."""


@dataclass(frozen=True)
class Checkpoint:
    """A loaded model.

    Attributes:
        name: as the config names it.
        folder: where it was read from.
        config: its parts.
        model: the network, float32, in eval mode.
        tokenizer: its tokenizer.
        sha256: hash of the manifest, hence of every file: the identity of the model.
    """

    name: str
    folder: Path
    config: ModelConfig
    model: MGLMM
    tokenizer: TextTokenizer
    sha256: str

    @property
    def decoder(self) -> Path | None:
        """The exported mask decoder, if the folder has one."""
        path = self.folder / DECODER
        return path if path.is_file() else None


def resolve(model: str) -> Path:
    """The folder that a `--model` value names: an embedded model or a folder.

    Raises:
        UsageError: if it is neither.
    """
    embedded = EMBEDDED / model
    if model.isidentifier() and embedded.is_dir():
        return embedded
    folder = Path(model)
    if not folder.is_dir():
        known = ", ".join(sorted(path.name for path in EMBEDDED.iterdir() if path.is_dir()))
        raise UsageError(f"no model {model!r}: give a model folder, or one of the embedded models ({known})")
    return folder


def load(model: str) -> Checkpoint:
    """Load a model by name or folder.

    Raises:
        UsageError: if a file is missing, does not match the manifest, or does not fit the config.
    """
    folder = resolve(model)
    identity = _check_manifest(folder)
    config = _read_config(folder / CONFIG)
    tokenizer = TextTokenizer.load(folder)
    network = MGLMM(config)
    _load_weights(network, folder / WEIGHTS)
    return Checkpoint(config.name, folder, config, network.eval(), tokenizer, identity)


def save(folder: Path, model: MGLMM, tokenizer: TextTokenizer, *, dtype: torch.dtype = torch.float16) -> None:
    """Write a model folder; an exported decoder of older weights is removed.

    Args:
        folder: created if needed.
        model: its weights are stored as `dtype`.
        tokenizer: stored beside it.
        dtype: of the stored weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DECODER).unlink(missing_ok=True)
    (folder / CONFIG).write_text(model.config.model_dump_json(indent=2) + "\n", encoding="utf-8")
    tensors = {
        name: tensor.to(dtype).contiguous() if tensor.is_floating_point() else tensor.contiguous()
        for name, tensor in _own_state(model).items()
    }
    save_file(tensors, folder / WEIGHTS)
    tokenizer.save(folder)
    write_manifest(folder)


def write_manifest(folder: Path) -> None:
    """Hash every file of a model folder into its manifest."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != MANIFEST)
    content = {"format": "mglmm-1", "files": {path.name: _sha256(path) for path in files}}
    (folder / MANIFEST).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _own_state(model: MGLMM) -> dict[str, Tensor]:
    """The state dict without the second name of tied weights."""
    state = model.state_dict()
    if model.language_model.config.tie_word_embeddings:
        state.pop("language_model.lm_head.weight")
    return state


def _load_weights(network: MGLMM, path: Path) -> None:
    try:
        stored = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path}: can't be read as safetensors: {error}") from error
    own = _own_state(network)
    for what, names in (("missing", own.keys() - stored.keys()), ("unknown", stored.keys() - own.keys())):
        if names:
            raise UsageError(f"{path}: {len(names)} {what} tensors, the first is {min(names)}: not of this config.json")
    for name, tensor in stored.items():
        if tensor.shape != own[name].shape:
            raise UsageError(f"{path}: {name} is {tuple(tensor.shape)}, config.json asks for {tuple(own[name].shape)}")
    network.load_state_dict({name: tensor.to(own[name].dtype) for name, tensor in stored.items()}, strict=False)


def _read_config(path: Path) -> ModelConfig:
    try:
        return ModelConfig.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{path}: {where}: {first['msg']}") from error


def _check_manifest(folder: Path) -> str:
    path = folder / MANIFEST
    if not path.is_file():
        raise UsageError(f"{folder}: {MANIFEST} is missing: not a model folder of mglmm")
    content = path.read_bytes()
    try:
        files: dict[str, str] = json.loads(content)["files"]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: not a manifest: {error}") from error
    for needed in (CONFIG, WEIGHTS):
        if needed not in files:
            raise UsageError(f"{path}: does not list {needed}")
    for name, expected in files.items():
        file = folder / name
        if not file.is_file():
            raise UsageError(f"{file} is missing, though the manifest lists it")
        if _sha256(file) != expected:
            raise UsageError(f"{file} does not match its SHA-256 in the manifest: the file is damaged or was changed")
    return hashlib.sha256(content).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
