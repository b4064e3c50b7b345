"""What a `--model` value names: an embedded model, a folder, a model on the hub, or random weights."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from engine.errors import UsageError
from engine.model import hub
from engine.model.config import ModelConfig
from engine.model.manifest import MANIFEST, read_manifest
from engine.model.presets import PRESETS

EMBEDDED = Path(__file__).resolve().parent.parent / "weights"
"""Models that ship in the package, one folder each."""
DEFAULT = EMBEDDED / "nano"
_RANDOM = "random:"


@dataclass(frozen=True, slots=True)
class RandomModel:
    """A preset whose weights are drawn, to measure with.

    Attributes:
        config: the preset.
        tokenizer: folder of the tokenizer that it borrows.
    """

    config: ModelConfig
    tokenizer: Path


ModelSource = Path | RandomModel


def find(model: str) -> ModelSource:
    """What `model` names.

    Args:
        model: an embedded model (`nano`), a model folder, a hub name (`owner/name`, `owner/name@revision`), or
            `random:PRESET`.

    Raises:
        UsageError: if it is none of them.
    """
    if is_embedded(model):
        return EMBEDDED / model
    if model and os.path.isdir(model):
        return Path(model)
    if model.startswith(_RANDOM):
        preset = PRESETS.get(model.removeprefix(_RANDOM))
        if preset is None:
            raise UsageError(f"no preset {model.removeprefix(_RANDOM)!r}: there are {', '.join(PRESETS)}")
        return RandomModel(preset, DEFAULT)
    if hub.is_name(model):
        try:
            return fetch_folder(model)
        except UsageError as error:
            raise UsageError(f"no folder {model!r}; as a hub name: {error}") from error
    if model in PRESETS:
        raise UsageError(
            f"{model!r} is an architecture without weights: give the folder that `mglmm convert` wrote, "
            f"or {_RANDOM}{model} to measure with random weights"
        )
    known = ", ".join(sorted(path.name for path in EMBEDDED.iterdir() if path.is_dir()))
    raise UsageError(
        f"no model {model!r}: give a model folder, a hub name (owner/name), {_RANDOM}PRESET, "
        f"or one of the embedded models ({known})"
    )


def is_embedded(model: str) -> bool:
    """Whether a name is that of a model that ships in the package."""
    return model.isidentifier() and os.path.isdir(EMBEDDED / model)


def fetch_folder(name: str) -> Path:
    """A model folder on the hub: of its files those that its manifest lists.

    Args:
        name: `org/name` or `org/name@revision`.

    Raises:
        UsageError: if it can't be had, or is no model folder.
    """
    revision = str(hub.resolve(name))
    listed = read_manifest(hub.fetch(revision, patterns=[MANIFEST])).files
    return hub.fetch(revision, patterns=[MANIFEST, *listed])
