"""Tokenizers: what every model needs of one, and the kinds that a model folder may hold."""

from __future__ import annotations

from pathlib import Path

from engine.errors import UsageError
from engine.model.tokenizers.base import TextTokenizer, own_token
from engine.model.tokenizers.bpe import BpeTokenizer
from engine.model.tokenizers.pieces import PieceTokenizer
from engine.model.tokenizers.qwen import QwenTokenizer
from engine.model.tokenizers.sentencepiece import ADDED, SentencePieceTokenizer

__all__ = [
    "FILES",
    "BpeTokenizer",
    "PieceTokenizer",
    "QwenTokenizer",
    "SentencePieceTokenizer",
    "TextTokenizer",
    "open_tokenizer",
    "own_token",
]

_KINDS = (BpeTokenizer, SentencePieceTokenizer, QwenTokenizer, PieceTokenizer)
FILES = (*(kind.FILE for kind in _KINDS), ADDED, PieceTokenizer.ADDED)
"""All names of a tokenizer's files."""


def open_tokenizer(folder: Path) -> TextTokenizer:
    """The tokenizer of a model folder, its kind told by its files.

    Raises:
        UsageError: if there is none, or it can't be read.
    """
    for kind in _KINDS:
        if (folder / kind.FILE).is_file():
            return kind.load(folder)
    raise UsageError(f"{folder}: has none of {', '.join(kind.FILE for kind in _KINDS)}: no tokenizer")
