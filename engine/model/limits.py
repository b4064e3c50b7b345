"""What a model folder must be before anything large is made of it: it may come from a stranger."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from engine.errors import UsageError

_MOST_TEXT = 64 << 20
"""Bytes of a file that is no weights."""
_MOST_OTHER = 2 << 30
"""The same of one that may hold more than text; no ONNX is larger."""
_WEIGHTS = ".safetensors"


def require_file(path: Path, most: int = _MOST_TEXT) -> None:
    """Refuse what is no file, as to read a pipe or a device may never end, and what is too large.

    Args:
        path: of the file; a link may lead to it.
        most: bytes.

    Raises:
        UsageError: if it is missing or one of these.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"{path}: is no file")
    if status.st_size > most:
        raise UsageError(f"{path}: {status.st_size / 1e6:.0f} MB: too large to be what its name says")


def require_sizes(files: Iterable[Path]) -> None:
    """Refuse files of a model that are larger than they can be, before all of them are read.

    Args:
        files: weights, which have the length that their header says, and others.

    Raises:
        UsageError: if one is, or is no file.
    """
    for path in files:
        if path.suffix != _WEIGHTS:
            require_file(path, _MOST_OTHER)
            continue
        require_file(path, sys.maxsize)
        try:
            with safe_open(path, "pt"):
                pass
        except (OSError, SafetensorError) as error:
            raise UsageError(f"{path}: can't be read as safetensors: {error}") from error


def read_text(path: Path) -> str:
    """The content of a small file.

    Raises:
        UsageError: if it can't be read, is no text, or is not small.
    """
    require_file(path)
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not text in UTF-8") from error


def read_table(path: Path) -> dict[str, Any]:
    """The content of a JSON file that holds a table.

    Raises:
        UsageError: if it can't be read as one.
    """
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: can't be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise UsageError(f"{path}: does not hold a table")
    return content


def table_of_texts(path: Path, key: str, content: Mapping[str, Any] | None = None) -> dict[str, str]:
    """The table of texts under a key of a JSON file.

    Args:
        path: of the file.
        key: of the table.
        content: of the file, if it has been read.

    Raises:
        UsageError: if there is none.
    """
    table = (read_table(path) if content is None else content).get(key)
    if not isinstance(table, dict) or not table or not all(isinstance(value, str) for value in table.values()):
        raise UsageError(f"{path}: has no {key}, or one that is no table of texts")
    return table


def check_names(path: Path, names: Sequence[str]) -> None:
    """Refuse names of files that lead out of the folder of the file that lists them.

    Raises:
        UsageError: if one does.
    """
    for name in names:
        if name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
            raise UsageError(f"{path}: lists {name!r}, which is no name of a file in this folder")


def check_tensors(files: Sequence[Path], own: Mapping[str, Tensor]) -> None:
    """Compare the stored tensors with those that a network has, by the files' headers alone.

    Args:
        files: safetensors.
        own: the network's tensors by their stored names; they may lie on the meta device.

    Raises:
        UsageError: if a name, a shape or a kind of number is another, or a file can't be read.
    """
    missing = set(own)
    for path, name, shape, dtype in _headers(files):
        if name not in own:
            raise UsageError(f"{path}: unknown tensor {name}: not of this config.json")
        if shape != tuple(own[name].shape):
            raise UsageError(f"{path}: {name} is {shape}, config.json asks for {tuple(own[name].shape)}")
        if own[name].is_floating_point() != dtype.startswith(("F", "BF")):
            raise UsageError(f"{path}: {name} is of type {dtype}, which the network can't have there")
        if name not in missing:
            raise UsageError(f"{path}: {name} is in another file too")
        missing.remove(name)
    if missing:
        raise UsageError(
            f"{files[0].parent}: {len(missing)} missing tensors, the first is {min(missing)}: not of this config.json"
        )


@contextmanager
def building(config: Path) -> Iterator[None]:
    """What can't be built of a config is the config's fault.

    Raises:
        UsageError: for whatever a constructor raises.
    """
    try:
        yield
    except UsageError:
        raise
    # Not ours, and they check with all kinds of errors, if at all.
    except Exception as error:
        detail = " ".join(f"{type(error).__name__}: {error}".split())
        raise UsageError(f"{config}: no network can be built of it: {detail[:300]}") from error


def _headers(files: Sequence[Path]) -> Iterator[tuple[Path, str, tuple[int, ...], str]]:
    """File, name, shape and type of every tensor."""
    for path in files:
        try:
            with safe_open(path, "pt") as stored:
                for name in stored.keys():  # noqa: SIM118 (no mapping)
                    tensor = stored.get_slice(name)
                    yield path, name, tuple(tensor.get_shape()), tensor.get_dtype()
        except (OSError, SafetensorError) as error:
            raise UsageError(f"{path}: can't be read as safetensors: {error}") from error
