"""The model folder that a conversion writes: whole, or not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from engine.convert.writer import Planned
from engine.errors import UsageError
from engine.model.checkpoint import CONFIG
from engine.model.config import ModelConfig
from engine.model.manifest import write_manifest
from engine.model.tokenizers import TextTokenizer


def check_out(out: Path) -> None:
    """Refuse a place where something is.

    Raises:
        UsageError: if there is.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: exists and is not an empty folder; choose another")


def write_folder(
    tensors: Sequence[Planned],
    config: ModelConfig,
    tokenizer: TextTokenizer,
    out: Path,
    write_tensors: Callable[[Path, Sequence[Planned]], object],
    terms: Mapping[str, str],
) -> None:
    """Write the model folder beside its place, then move it there.

    Args:
        tensors: in the order in which they are written.
        config: of the model.
        tokenizer: of the model.
        out: the place.
        write_tensors: writes tensors into a folder.
        terms: of what the weights were made of, see `Manifest`.
    """
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    part.mkdir()
    try:
        write_tensors(part, tensors)
        (part / CONFIG).write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")
        tokenizer.save(part)
        write_manifest(part, terms)
        with suppress(FileNotFoundError):
            out.rmdir()
        part.rename(out)
    except BaseException:
        shutil.rmtree(part)
        raise
