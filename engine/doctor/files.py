"""Checks of a model folder: are its files whole, and do the weights fit the config."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from engine.errors import UsageError
from engine.masks.decoder import IMAGE_INDEX, PROMPTS, maps_of, outputs_of
from engine.model.checkpoint import DECODER, own_state, read_tensors
from engine.model.config import ModelConfig
from engine.model.limits import require_sizes
from engine.model.manifest import MANIFEST, read_manifest, sha256
from engine.model.mglmm import MGLMM
from engine.model.onnx_runtime import onnxruntime

_NAMED = 5


@dataclass(frozen=True, slots=True)
class Stored:
    """What the weight files hold.

    Attributes:
        shapes: of each tensor.
        disk: bytes of each tensor.
        spoilt: tensors with a number that is not finite.
    """

    shapes: dict[str, tuple[int, ...]]
    disk: dict[str, int]
    spoilt: tuple[str, ...]


def manifest(folder: Path) -> str:
    """Whether every file has the hash that the manifest gives it."""
    listed = read_manifest(folder).files
    missing = [name for name in listed if not (folder / name).is_file()]
    if missing:
        raise UsageError(f"{_named(missing)}: listed in {MANIFEST}, but missing")
    require_sizes(folder / name for name in listed)
    changed = [name for name, expected in listed.items() if sha256(folder / name) != expected]
    if changed:
        raise UsageError(f"{_named(changed)}: damaged or changed, the SHA-256 is not that of {MANIFEST}")
    return f"{len(listed)} files have their SHA-256"


def read_weights(folder: Path) -> Stored:
    """Read all weights, one tensor at a time.

    Raises:
        UsageError: if a file is missing or can't be read.
    """
    shapes, disk, spoilt = {}, {}, []
    for _, name, tensor in read_tensors(folder):
        shapes[name] = tuple(tensor.shape)
        disk[name] = tensor.nbytes
        if not torch.isfinite(tensor).all():
            spoilt.append(name)
    return Stored(shapes, disk, tuple(spoilt))


def weights_fit(stored: Stored, network: MGLMM) -> str:
    """Whether keys and shapes are those of the config."""
    wanted = {name: tuple(tensor.shape) for name, tensor in own_state(network).items()}
    problems = (
        ("missing", sorted(wanted.keys() - stored.shapes.keys())),
        ("not of this config", sorted(stored.shapes.keys() - wanted.keys())),
        (
            "of another shape",
            [
                f"{name} ({stored.shapes[name]}, config.json asks for {shape})"
                for name, shape in wanted.items()
                if stored.shapes.get(name, shape) != shape
            ],
        ),
    )
    wrong = [f"{len(names)} {what}, the first is {names[0]}" for what, names in problems if names]
    if wrong:
        raise UsageError("; ".join(wrong))
    return f"{len(wanted)} tensors have the names and shapes of config.json"


def weights_are_finite(stored: Stored) -> str:
    """Whether every number is one."""
    if stored.spoilt:
        raise UsageError(f"NaN or infinity in {len(stored.spoilt)} tensors, the first is {stored.spoilt[0]}")
    return "no NaN, no infinity"


def decoder(folder: Path, config: ModelConfig) -> str:
    """Whether the exported mask decoder takes what this model gives it."""
    path = folder / DECODER
    if not path.is_file():
        raise UsageError(f"{DECODER} is missing: run `mglmm export onnx {folder}`, or use --decoder torch")
    require_sizes([path])
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    inputs = {entry.name: entry.shape for entry in session.get_inputs()}
    outputs = {entry.name for entry in session.get_outputs()}
    for name in outputs_of(config):
        if name not in outputs:
            raise UsageError(f"{DECODER}: has no output {name}: export it again")
    maps, channels = maps_of(config), config.mask_decoder.dim
    for name, wanted in {**maps, PROMPTS: (channels,), IMAGE_INDEX: ()}.items():
        if name not in inputs:
            raise UsageError(f"{DECODER}: has no input {name}: export it again")
        if inputs[name][1:] != [*wanted]:
            raise UsageError(f"{DECODER}: {name} is {inputs[name]}, config.json asks for {['any', *wanted]}")
    sizes = ", ".join(" x ".join(map(str, shape)) for shape in maps.values())
    return f"takes embeddings of {sizes} and prompts of {channels}"


def _named(names: list[str]) -> str:
    """Some names of many."""
    first = ", ".join(names[:_NAMED])
    return f"{first} and {len(names) - _NAMED} more" if len(names) > _NAMED else first
