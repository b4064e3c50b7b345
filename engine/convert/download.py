"""The files of a release on the hub that a conversion reads: no code, and one format of the weights."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from engine.convert.card import CARD
from engine.errors import MglmmError, UsageError
from engine.memory import size_text
from engine.model import hub
from engine.model.limits import check_names, table_of_texts
from engine.model.manifest import sha256

SMALL = ("*.json", "*.model", "*.yaml", CARD)
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Of two formats the safer one first."""
_ANY = (".safetensors", ".bin")
_SHA256 = re.compile("[0-9a-f]{64}")

Note = Callable[[str], object]
"""Told in a line what is about to happen."""


def ignore(line: str) -> None:
    """The `Note` of those who want none."""


def fetch(name: str, *, note: Note = ignore, examine: Callable[[Path], object] | None = None) -> Path:
    """A release of the hub; what the cache lacks is downloaded.

    Args:
        name: `org/name` or `org/name@revision`.
        note: told how much is to be downloaded.
        examine: looks at the folder with the small files alone, and raises before anything large is downloaded.

    Returns:
        its folder in the hub's cache.

    Raises:
        UsageError: if it can't be had, has no weights, or not all that its index names.
        MglmmError: if the disk is too small or full, or a file is damaged.
    """
    revision = hub.resolve(name)
    name = revision.repository
    folder = hub.fetch(str(revision), patterns=SMALL)
    if examine is not None:
        examine(folder)
    files = {file.name: file for file in hub.files(revision)}
    wanted = weights_of(name, folder, list(files))
    _announce(name, [files[one] for one in wanted], note)
    for one in wanted:
        if not files[one].here:
            hub.fetch_large(revision, one)
    folder = hub.fetch(str(revision), patterns=[*SMALL, *wanted])
    missing = [one for one in wanted if not (folder / one).is_file()]
    if missing:
        raise UsageError(
            f"{name}: {len(missing)} of {len(wanted)} files of weights are not in the local cache, the first is "
            f"{missing[0]}; start it once with a network"
        )
    for one in wanted:
        _check(name, folder / one)
    return folder


def weights_of(name: str, folder: Path, files: Sequence[str]) -> list[str]:
    """Which files of a release are its weights.

    Args:
        name: for messages.
        folder: with the indices.
        files: names of all of its files.

    Raises:
        UsageError: if there are none, or the index names files that are missing.
    """
    for standard in WEIGHTS:
        index = folder / f"{standard}.index.json"
        if index.is_file():
            named = sorted(set(table_of_texts(index, "weight_map").values()))
            check_names(index, named)
            if missing := [one for one in named if one not in files]:
                raise UsageError(
                    f"{name}: {len(missing)} of {len(named)} files of weights are missing, the first is {missing[0]}; "
                    "the release is not whole: try another revision (org/name@revision)"
                )
            return named
        if standard in files:
            return [standard]
    for suffix in _ANY:
        if found := [one for one in files if one.endswith(suffix) and "/" not in one]:
            return found
    raise UsageError(f"{name}: has no weights ({', '.join(WEIGHTS)})")


def require_space(what: str, folder: Path, size: int, advice: str) -> None:
    """Refuse to begin what a disk can't hold.

    Args:
        what: for messages.
        folder: where it goes; it need not exist yet.
        size: in bytes.
        advice: what else to do than to free some of the disk.

    Raises:
        MglmmError: if there is less.
    """
    place = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(place).free
    if free < size:
        raise MglmmError(
            f"{what}: needs {size_text(size)} in {folder}, {size_text(free)} are free: free some, or {advice}"
        )


def _announce(name: str, wanted: Sequence[hub.File], note: Note) -> None:
    absent = [file for file in wanted if not file.here]
    size = sum(file.size for file in absent)
    if absent:
        note(f"{name}: {size_text(size)} are downloaded into {hub.cache()}")
        require_space(name, hub.cache(), size, "set HF_HOME to another disk")


def _check(name: str, path: Path) -> None:
    """The hub's cache names large files by their SHA-256."""
    blob = path.resolve()
    if _SHA256.fullmatch(blob.name) and sha256(blob) != blob.name:
        raise MglmmError(f"{name}: {path.name} was damaged on its way or on the disk: remove {blob} and start again")


def keys_of(folder: Path) -> Mapping[str, str] | None:
    """Key and file of each tensor as the index tells, or None where there is none."""
    for standard in WEIGHTS:
        index = folder / f"{standard}.index.json"
        if index.is_file():
            return table_of_texts(index, "weight_map")
    return None
