"""A model on disk: a folder with config.json, the weights (one model.safetensors, or shards and their index), the
tokenizer's files, manifest.json, once exported mask_decoder.onnx and pixel_encoder.onnx, and the files of an adapter
where it was trained with LoRA. The manifest holds the SHA-256 of every other file and is checked at loading."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import torch
from accelerate import init_empty_weights
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.errors import MglmmError, UsageError
from engine.model import adapter, limits
from engine.model.config import ModelConfig, PyramidConfig
from engine.model.manifest import MANIFEST, Manifest, read_manifest, sha256, write_manifest
from engine.model.mglmm import MGLMM
from engine.model.onnx_encoder import OnnxPixelEncoder
from engine.model.pixel_encoder import OneByOne, for_inference
from engine.model.pixel_features import PixelFeatures
from engine.model.precision import Precision, fitting, loaded_to, place, require, stored_as, within_memory
from engine.model.sources import RandomModel, find
from engine.model.tokenizers import FILES as TOKENIZER_FILES
from engine.model.tokenizers import TextTokenizer, open_tokenizer

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
DECODER, ENCODER = "mask_decoder.onnx", "pixel_encoder.onnx"
HEAD, PIXEL_ENCODER = "mask_head.", "pixel_encoder."
_READ = (WEIGHTS, INDEX, DECODER, ENCODER, adapter.ADAPTER_CONFIG, adapter.ADAPTER_WEIGHTS, *TOKENIZER_FILES)
"""What is read where it is there, beside the config."""

_Part = TypeVar("_Part", bound=nn.Module)


@dataclass(frozen=True)
class Checkpoint:
    """A loaded model.

    Attributes:
        name: as the config names it.
        folder: where it was read from; None for random weights.
        config: its parts.
        model: the network, in eval mode.
        tokenizer: its tokenizer.
        sha256: hash of the manifest, hence of every file: the identity of the model.
        precision: of the weights in memory.
        terms: of what the weights were made of, see `Manifest`.
    """

    name: str
    folder: Path | None
    config: ModelConfig
    model: MGLMM
    tokenizer: TextTokenizer
    sha256: str
    precision: Precision = Precision.FLOAT32
    terms: Mapping[str, str] = field(default_factory=dict)

    @property
    def decoder(self) -> Path | None:
        """The exported mask decoder, if the folder has one."""
        path = self.folder / DECODER if self.folder else None
        return path if path and path.is_file() else None

    @property
    def device(self) -> torch.device:
        """Where the network lies."""
        return self.model.mask_head.prompt_encoder.no_mask_embed.weight.device

    @cached_property
    def pixel_encoder(self) -> Callable[[Tensor], PixelFeatures]:
        """The network's pixel encoder as it runs fastest, made once for all that use this model.

        Raises:
            UsageError: if the folder has an exported one that can't be used.
        """
        fused = for_inference(self.model.pixel_encoder)
        if self.device.type != "cpu":
            return fused
        exported = self.folder / ENCODER if self.folder else None
        if exported and exported.is_file() and self.precision is Precision.FLOAT32:
            return OnnxPixelEncoder(exported, fused)
        return fused if isinstance(self.config.pixel_encoder, PyramidConfig) else OneByOne(fused)


@dataclass(frozen=True, slots=True)
class Identity:
    """What is known of a model before it is loaded: see `Checkpoint`."""

    name: str
    sha256: str
    config: ModelConfig


def load(model: str, *, precision: Precision | None = Precision.FLOAT32, device: str = "cpu") -> Checkpoint:
    """Load a model by name, folder or hub name, tensor by tensor.

    Args:
        model: see `engine.model.sources.find`.
        precision: of the weights in memory; None for the one that fits the model and the device.
        device: where they lie.

    Raises:
        UsageError: if a file is missing, does not match the manifest, or does not fit the config, or if this
            machine can't hold the weights so.
    """
    require(precision or Precision.FLOAT32, device)
    source = find(model)
    if isinstance(source, RandomModel):
        return _random(source, precision or fitting(source.config, device), device)
    folder = source
    manifest = _check_manifest(folder)
    config = read_config(folder / CONFIG)
    precision = precision or fitting(config, device)
    _check_fit(folder, config)
    tokenizer = open_tokenizer(folder)
    with init_empty_weights(include_buffers=False):
        network = MGLMM(config)
    if tokenizer.size > (rows := network.language_model.config.vocab_size):
        raise UsageError(f"{folder}: the tokenizer has {tokenizer.size} tokens, config.json asks for {rows}")
    with within_memory(config.name, precision, device):
        _load_weights(network, folder, precision, device=loaded_to(precision, device))
    network.language_model.tie_weights()
    if precision.quantised and (folder / adapter.ADAPTER_CONFIG).is_file():
        raise UsageError(
            f"{folder}: has an adapter, which {precision} can't be taken of: use what `mglmm merge` makes of it"
        )
    adapter.load(folder, network.language_model, precision.dtype)
    place(network.eval(), precision, device)
    return Checkpoint(
        config.name, folder, config, network, tokenizer, manifest.identity, precision, terms=manifest.terms
    )


def identify(model: str) -> Identity:
    """Which model `load` would give, without a look at the weights.

    Args:
        model: see `engine.model.sources.find`.

    Raises:
        UsageError: if there is no such model, or a file of it is missing or is not what it should be.
    """
    source = find(model)
    if isinstance(source, RandomModel):
        return Identity(*_random_identity(source), source.config)
    identity = _listed(source).identity
    config = read_config(source / CONFIG)
    return Identity(config.name, identity, config)


def load_part(folder: Path, prefix: str, build: Callable[[ModelConfig], _Part]) -> _Part:
    """One part of the network of a model folder, however large the rest is.

    Args:
        folder: of the model.
        prefix: of the part's tensors.
        build: makes it with random weights.

    Raises:
        UsageError: as `load` does.
    """
    _check_manifest(folder)
    config = read_config(folder / CONFIG)
    _check_fit(folder, config)
    part = build(config)
    _load_weights(part, folder, Precision.FLOAT32, prefix=prefix)
    return part.eval()


def _random(source: RandomModel, precision: Precision, device: str) -> Checkpoint:
    """A network as large as the real one, to measure with; its answers mean nothing, and differ between devices."""
    with torch.random.fork_rng(devices=[]), init_empty_weights(include_buffers=False):
        torch.manual_seed(0)  # SAM's position encoding is a drawn buffer
        network = MGLMM(source.config)
    # Drawn where they will lie: a CPU takes minutes for seven billion.
    where = torch.device(loaded_to(precision, device))
    draws = torch.Generator(where).manual_seed(0)
    for name, empty in list(network.named_parameters()):
        with within_memory(source.config.name, precision, device):
            drawn = torch.empty(empty.shape, dtype=stored_as(name, empty.dtype, precision), device=where)
        if empty.dim() > 1:
            drawn.normal_(std=0.02, generator=draws)
        else:
            drawn.fill_(0.0 if name.endswith("bias") else 1.0)
        _assign(network, name, drawn)
    stored = network.state_dict().keys()
    for name, buffer in list(network.named_buffers()):
        if name in stored:
            _assign(network, name, buffer.to(stored_as(name, buffer.dtype, precision)))
    network.language_model.tie_weights()
    place(network.eval(), precision, device)
    name, identity = _random_identity(source)
    return Checkpoint(name, None, source.config, network, open_tokenizer(source.tokenizer), identity, precision)


def _random_identity(source: RandomModel) -> tuple[str, str]:
    config = source.config
    return f"random:{config.name}", hashlib.sha256(f"random {config.model_dump_json()}".encode()).hexdigest()


def save(
    folder: Path,
    model: MGLMM,
    tokenizer: TextTokenizer,
    *,
    dtype: torch.dtype = torch.float16,
    state: Mapping[str, Tensor] | None = None,
    terms: Mapping[str, str] | None = None,
) -> None:
    """Write a model folder; an exported decoder of older weights is removed. An adapter is stored beside the weights.

    Args:
        folder: created if needed.
        model: its weights are stored as `dtype`.
        tokenizer: stored beside it.
        dtype: of the stored weights.
        state: its state dict, where the weights themselves lie elsewhere.
        terms: of what the weights were made of, see `Manifest`.

    Raises:
        MglmmError: if the disk is full, or the folder can't be written.
    """
    state = model.state_dict() if state is None else state
    folder.mkdir(parents=True, exist_ok=True)
    for exported in (DECODER, ENCODER):
        (folder / exported).unlink(missing_ok=True)
    (folder / CONFIG).write_text(model.config.model_dump_json(indent=2) + "\n", encoding="utf-8")
    tensors = {
        name: tensor.to(dtype).contiguous() if tensor.is_floating_point() else tensor.contiguous()
        for name, tensor in _own(model, state).items()
    }
    try:
        save_file(tensors, folder / WEIGHTS)
        adapter.save(folder, model.language_model, state)
    except SafetensorError as error:  # what it makes of the system's errors
        raise MglmmError(f"{folder}: the weights can't be written: {error}") from error
    for path in folder.glob("*.safetensors"):
        # safetensors writes for the owner alone; whoever may read the configuration may read the weights.
        path.chmod((folder / CONFIG).stat().st_mode)
    tokenizer.save(folder)
    write_manifest(folder, terms)


def own_state(model: MGLMM) -> dict[str, Tensor]:
    """The state dict without the second name of tied weights, and without an adapter's factors."""
    return _own(model, model.state_dict())


def _own(model: MGLMM, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    own = {adapter.own_name(name): tensor for name, tensor in state.items() if not adapter.is_factor(name)}
    if model.language_model.config.tie_word_embeddings:
        own.pop("language_model.lm_head.weight", None)
    return own


def _load_weights(
    module: nn.Module, folder: Path, precision: Precision, *, device: str = "cpu", prefix: str = ""
) -> None:
    """Put the stored tensors in the place of the module's, one at a time; `_check_fit` comes before.

    Args:
        module: its tensors may be empty.
        folder: of the model.
        precision: of the weights in memory.
        device: where they lie.
        prefix: what the stored names of this module begin with; other tensors are left alone.
    """
    for _, name, tensor in read_tensors(folder, prefix):
        _assign(module, name.removeprefix(prefix), tensor.to(device, stored_as(name, tensor.dtype, precision)))


def _check_fit(folder: Path, config: ModelConfig) -> None:
    """Compare the config with the stored tensors before there is memory for any of them."""
    with limits.building(folder / CONFIG), torch.device("meta"):
        network = MGLMM(config)
    limits.check_tensors(_weight_files(folder), own_state(network))


def read_tensors(folder: Path, prefix: str = "") -> Iterator[tuple[Path, str, Tensor]]:
    """The stored tensors of a model folder, one at a time: the file, the name, the tensor.

    Args:
        folder: of the model.
        prefix: what the wanted names begin with.

    Raises:
        UsageError: if a file is missing or can't be read.
    """
    for path in _weight_files(folder):
        try:
            with safe_open(path, "pt") as stored:
                for name in stored.keys():  # noqa: SIM118 (no mapping)
                    if name.startswith(prefix):
                        yield path, name, stored.get_tensor(name)
        except (OSError, SafetensorError) as error:
            raise UsageError(f"{path}: can't be read as safetensors: {error}") from error


def _weight_files(folder: Path) -> list[Path]:
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    index = folder / INDEX
    if not index.is_file():
        raise UsageError(f"{folder}: has neither {WEIGHTS} nor {INDEX}")
    return [folder / name for name in _shards(index)]


def _shards(index: Path) -> list[str]:
    names = sorted(set(limits.table_of_texts(index, "weight_map").values()))
    limits.check_names(index, names)
    return names


def _assign(network: nn.Module, name: str, tensor: Tensor) -> None:
    """Replace a parameter or buffer; what was there may be empty."""
    owner, _, leaf = name.rpartition(".")
    module = network.get_submodule(owner)
    old = module._parameters.get(leaf)
    if old is not None:
        module._parameters[leaf] = nn.Parameter(tensor, requires_grad=old.requires_grad)
    else:
        module._buffers[leaf] = tensor


def read_config(path: Path) -> ModelConfig:
    """Read a model's config.json.

    Raises:
        UsageError: if it is not one.
    """
    try:
        return ModelConfig.model_validate_json(limits.read_text(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{path}: {where}: {first['msg']}") from error


def _listed(folder: Path) -> Manifest:
    """The manifest, after a look whether all that is needed is listed and there."""
    manifest = read_manifest(folder)
    files = manifest.files
    for needed in ((CONFIG,), (WEIGHTS, INDEX)):
        if not any(name in files for name in needed):
            raise UsageError(f"{folder / MANIFEST}: does not list {' or '.join(needed)}")
    for name in files:
        if not (folder / name).is_file():
            raise UsageError(f"{folder / name} is missing, though the manifest lists it")
    read = {*_READ, *(_shards(folder / INDEX) if INDEX in files else ())}
    for name in sorted(read - set(files)):
        if (folder / name).exists():
            raise UsageError(f"{folder / name} is not listed in the manifest: nobody knows where it is from")
    return manifest


def _check_manifest(folder: Path) -> Manifest:
    manifest = _listed(folder)
    for name, expected in manifest.files.items():
        file = folder / name
        if sha256(file) != expected:
            raise UsageError(f"{file} does not match its SHA-256 in the manifest: the file is damaged or was changed")
    return manifest
