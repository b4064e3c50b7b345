"""A model folder's `manifest.json`: the SHA-256 of every other file, and the terms of what the weights were made of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import UsageError
from engine.model import limits

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What it says.

    Attributes:
        identity: its own SHA-256, hence that of every file: the identity of the model.
        files: the SHA-256 of each file.
        terms: for each set of data or weights behind the model, on what terms its owners gave it; empty where that is
            not known.
    """

    identity: str
    files: Mapping[str, str]
    terms: Mapping[str, str]


def read_manifest(folder: Path) -> Manifest:
    """Read it.

    Raises:
        UsageError: if it is missing or not one.
    """
    path = folder / MANIFEST
    if not path.exists():
        raise UsageError(
            f"{folder}: {MANIFEST} is missing: not a model folder of mglmm ('mglmm convert' makes one of a release)"
        )
    content = limits.read_table(path)
    files = limits.table_of_texts(path, "files", content)
    limits.check_names(path, list(files))
    terms = limits.table_of_texts(path, "terms", content) if "terms" in content else {}
    return Manifest(sha256(path), files, terms)


def write_manifest(folder: Path, terms: Mapping[str, str] | None = None) -> None:
    """Hash every file of a model folder into its manifest.

    Args:
        folder: of the model.
        terms: see `Manifest`; None keeps those that are stated.
    """
    if terms is None:
        terms = read_manifest(folder).terms if (folder / MANIFEST).exists() else {}
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != MANIFEST)
    _write(folder, {path.name: sha256(path) for path in files}, terms)


def add_to_manifest(folder: Path, file: Path) -> None:
    """Hash one file that was added to a model folder or written anew; the others are not read again."""
    manifest = read_manifest(folder)
    _write(folder, dict(sorted({**manifest.files, file.name: sha256(file)}.items())), manifest.terms)


def sha256(path: Path) -> str:
    """Hash of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(folder: Path, files: Mapping[str, str], terms: Mapping[str, str]) -> None:
    content = {"format": "mglmm-1", "files": files} | ({"terms": dict(terms)} if terms else {})
    (folder / MANIFEST).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
