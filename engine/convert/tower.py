"""The vision tower: where its directory is, and the config of a CLIP."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine.convert.download import Note, fetch, ignore
from engine.convert.inventory import Inventory
from engine.errors import UsageError
from engine.images.transforms import CLIP_MEAN, CLIP_STD
from engine.model import hub
from engine.model.config import ClipConfig
from engine.model.limits import read_table

_NAMED_BY = ("vision_tower", "mm_vision_tower", "vision_module", "mm_vision_module")
_TYPES = ("clip", "clip_vision_model")
_OPTIONS = frozenset(ClipConfig.model_fields) - {"kind", "select_layer"}
_HEAD = 64
"""Channels of an attention head in the public CLIPs."""
_TOWER = "global_encoder.tower."


def open_tower(given: str, note: Note = ignore) -> Path:
    """The directory that `--vision-tower` names: a path, or a name on the hub.

    Args:
        given: what was given.
        note: told what is downloaded, in a line.

    Raises:
        UsageError: if it is neither.
    """
    if Path(given).is_dir():
        return Path(given)
    if not hub.is_name(given):
        raise UsageError(f"--vision-tower {given}: no such directory")
    return _fetch(given, note)


def look_up(source: Path, config: Mapping[str, Any]) -> Path | None:
    """The directory that config.json names, if it is here: as a path of its own, in the source or beside it."""
    for name in _names(config):
        for folder in (Path(name), source / name, source.parent / name):
            if (folder / "config.json").is_file():
                return folder
    return None


def download(source: Path, config: Mapping[str, Any], note: Note = ignore) -> Path:
    """The tower that config.json names, from the hub.

    Args:
        source: the checkpoint, for messages.
        config: its config.json.
        note: told what is downloaded, in a line.

    Raises:
        UsageError: if it names none, or can't be had.
    """
    names = _names(config)
    if not names:
        raise UsageError(f"{source}: config.json names no vision tower; give its directory with --vision-tower")
    advice = "give the vision tower's directory with --vision-tower"
    if not hub.is_name(names[0]):
        raise UsageError(f"{source}: config.json names the vision tower {names[0]!r}, which is not here; {advice}")
    try:
        return _fetch(names[0], note)
    except UsageError as error:
        raise UsageError(f"{source}: the vision tower of config.json can't be had: {error}; {advice}") from error


def read_clip(folder: Path, layer: int) -> ClipConfig:
    """The config of a CLIP directory.

    Args:
        folder: with config.json and, where it is there, preprocessor_config.json.
        layer: hidden layer that is read.

    Raises:
        UsageError: if it is no CLIP, or images are prepared in another way than CLIP's.
    """
    from transformers import CLIPVisionConfig

    path = folder / "config.json"
    if not path.is_file():
        raise UsageError(f"{folder}: config.json is missing: not a directory of a CLIP vision tower")
    options = read_table(path)
    if options.get("model_type") not in _TYPES:
        raise UsageError(f"{path}: model_type is {options.get('model_type')!r}: only CLIP vision towers are supported")
    options = options.get("vision_config", options)
    # What the file does not name has the default of transformers, not ours.
    defaults = CLIPVisionConfig()
    values = {name: options.get(name, getattr(defaults, name)) for name in sorted(_OPTIONS)}
    try:
        clip = ClipConfig(**values, select_layer=layer)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    _check_preprocessing(folder / "preprocessor_config.json", clip.image_size)
    return clip


def clip_by_shapes(found: Inventory, layer: int) -> ClipConfig:
    """The config of a tower of which only the weights are known; the rest is taken to be as in OpenAI's.

    Raises:
        UsageError: if a telling tensor is missing.
    """
    positions, width = found.shape(f"{_TOWER}embeddings.position_embedding.weight")
    patch = found.shape(f"{_TOWER}embeddings.patch_embedding.weight")[-1]
    return ClipConfig(
        image_size=math.isqrt(positions - 1) * patch,
        patch_size=patch,
        hidden_size=width,
        intermediate_size=found.shape(f"{_TOWER}encoder.layers.0.mlp.fc1.weight")[0],
        num_hidden_layers=found.count(f"{_TOWER}encoder.layers."),
        num_attention_heads=max(width // _HEAD, 1),
        select_layer=layer,
    )


def _fetch(name: str, note: Note) -> Path:
    # Whether it is a CLIP does not depend on the layer that is read.
    return fetch(name, note=note, examine=lambda folder: read_clip(folder, layer=-1))


def _names(config: Mapping[str, Any]) -> list[str]:
    return [config[key] for key in _NAMED_BY if isinstance(config.get(key), str) and config[key]]


def _check_preprocessing(path: Path, image_size: int) -> None:
    if not path.is_file():
        return
    options = read_table(path)
    for name, expected in (("image_mean", CLIP_MEAN), ("image_std", CLIP_STD)):
        values = options.get(name, expected)
        if len(values) != 3 or any(abs(a - b) > 1e-6 for a, b in zip(values, expected, strict=True)):
            raise UsageError(f"{path}: {name} is {values}, CLIP's is {list(expected)}")
    for name in ("crop_size", "size"):
        sizes = options.get(name, image_size)
        sizes = set(sizes.values()) if isinstance(sizes, dict) else {sizes}
        if sizes != {image_size}:
            raise UsageError(f"{path}: {name} is {options[name]}, the tower takes {image_size} pixels")
