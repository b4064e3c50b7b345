"""What a model folder may hold is looked at before it is read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine.doctor import files
from engine.errors import UsageError
from engine.model.checkpoint import read_config
from engine.model.limits import read_text, require_sizes
from engine.model.manifest import read_manifest
from engine.model.tokenizers import BpeTokenizer, SentencePieceTokenizer

READERS: dict[str, Callable[[Path], object]] = {
    "text": read_text,
    "config.json": read_config,
    "manifest.json": lambda path: read_manifest(path.parent),
    "tokenizer.json": lambda path: BpeTokenizer.load(path.parent),
    "tokenizer.model": lambda path: SentencePieceTokenizer.load(path.parent),
    "added_tokens.json": lambda path: SentencePieceTokenizer.load(path.parent),
    "mask_decoder.onnx": lambda path: files.decoder(path.parent, None),  # type: ignore[arg-type]
    "anything": lambda path: require_sizes([path]),
    "model.safetensors": lambda path: require_sizes([path]),
}
HOSTILE: dict[str, Callable[[Path], object]] = {
    "of 10 GB": lambda path: path.touch() or os.truncate(path, 10 << 30),  # type: ignore[func-returns-value]
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path),
    "a folder": Path.mkdir,
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_such_file_is_not_read(name: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(b"no model")
    (tmp_path / name).unlink(missing_ok=True)
    HOSTILE[kind](tmp_path / name)
    with pytest.raises(UsageError) as refused:
        READERS[name](tmp_path / name)
    assert name in str(refused.value) and "\n" not in str(refused.value)


def test_weights_are_as_long_as_their_header_says(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"weight": torch.zeros(1000)}, path)
    require_sizes([path])
    for length in (path.stat().st_size + 1, path.stat().st_size - 1, 4):
        os.truncate(path, length)
        with pytest.raises(UsageError, match="can't be read as safetensors"):
            require_sizes([path])


def test_a_link_to_a_file_is_as_good(tmp_path: Path) -> None:
    (tmp_path / "blob").write_text("text")
    (tmp_path / "text").symlink_to("blob")
    assert read_text(tmp_path / "text") == "text"
    require_sizes([tmp_path / "text"])
