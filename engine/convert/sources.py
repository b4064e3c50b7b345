"""Where a checkpoint's files are: directories, the hub, and the names that weights go by."""

from __future__ import annotations

from pathlib import Path

from engine.convert.download import WEIGHTS, Note, fetch, ignore
from engine.convert.tensors import TensorFiles
from engine.errors import UsageError
from engine.model import hub
from engine.model.limits import check_names, table_of_texts

_SUFFIXES = (".safetensors", ".bin", ".pth", ".pt")
_NO_WEIGHTS = ("training_args.bin", "optimizer.pt", "optimizer.bin", "scheduler.pt", "scaler.pt", "rng_state.pth")
"""Files of the Hugging Face trainer that lie beside weights."""


def open_directory(source: str, note: Note = ignore) -> Path:
    """The directory that SRC names: a path, or a name on the hub.

    Args:
        source: what was given.
        note: told what is downloaded, in a line.

    Raises:
        UsageError: if it is neither.
    """
    path = Path(source)
    if path.is_dir():
        return path
    if path.is_file():
        raise UsageError(
            f"{source}: is a file; SRC is a checkpoint's directory (a SAM file is given with --sam, beside a LLaVA "
            "directory)"
        )
    if not hub.is_name(source):
        raise UsageError(f"{source}: no such directory")
    return fetch(source, note=note)


def open_weights(folder: Path) -> TensorFiles:
    """The tensors of a checkpoint's directory.

    Raises:
        UsageError: if there are none, or it is not clear which files are meant, or one can't be read.
    """
    return TensorFiles(weight_files(folder))


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The files of weights of a checkpoint's directory.

    Raises:
        UsageError: if there are none, or it is not clear which files are meant.
    """
    for name in WEIGHTS:
        index = folder / f"{name}.index.json"
        if index.is_file():
            return _listed(index)
        if (folder / name).is_file():
            return (folder / name,)
    found = sorted(p for p in folder.iterdir() if p.suffix in _SUFFIXES and p.is_file() and p.name not in _NO_WEIGHTS)
    if not found:
        raise UsageError(f"{folder}: no weights ({', '.join(WEIGHTS)}, or one file *{', *'.join(_SUFFIXES)})")
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise UsageError(f"{folder}: {len(found)} files of weights and no index: {names}; leave the one that is meant")
    return (found[0],)


def _listed(index: Path) -> tuple[Path, ...]:
    """The files of an index, each of which must be there."""
    names = sorted(set(table_of_texts(index, "weight_map").values()))
    check_names(index, names)
    files = tuple(index.parent / name for name in names)
    missing = [path.name for path in files if not path.is_file()]
    if missing:
        raise UsageError(f"{index.parent}: {len(missing)} of {len(files)} files of weights are missing: {missing[0]}")
    return files
