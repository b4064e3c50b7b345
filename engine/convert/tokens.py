"""The added tokens of a checkpoint, and the seven that make an MGLMM of a LLaVA."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentencepiece import SentencePieceProcessor

from engine.convert.families import ADDED_TOKENS, Family
from engine.errors import UsageError
from engine.model.limits import read_table
from engine.model.tokenizers.sentencepiece import ADDED, SentencePieceTokenizer
from engine.text.grammar import SEG
from engine.text.prompts import REGION


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tokenizer of the converted model.

    Attributes:
        tokenizer: to be saved beside the weights.
        added: ids of the added tokens.
        kept: rows of the embeddings that are taken over.
        new: tokens for which rows are added behind them.
        notes: what the report should say.
    """

    tokenizer: SentencePieceTokenizer
    added: Mapping[str, int]
    kept: int
    new: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Rows of the embeddings in the converted model."""
        return self.kept + len(self.new)


def read_vocabulary(folder: Path, family: Family, config: Mapping[str, Any], rows: int, *, regions: bool) -> Vocabulary:
    """The vocabulary of a trained checkpoint.

    Args:
        folder: with tokenizer.model and added_tokens.json.
        family: says which tokens must be there.
        config: of the checkpoint; its ids must be those of the tokenizer.
        rows: of the embeddings.
        regions: whether there is a region encoder, which needs a token of its own.

    Raises:
        UsageError: if a file or token is missing, or an id contradicts config.json or the embeddings.
    """
    model, pieces = _pieces(folder)
    path = folder / ADDED
    if not path.is_file():
        raise UsageError(f"{path}: missing; copy it from the release that the checkpoint was trained from")
    added = _added(path, pieces)
    needed = (*family.tokens, REGION) if regions else family.tokens
    missing = [token for token in needed if token not in added]
    if missing:
        raise UsageError(f"{path}: lacks {', '.join(missing)}, which models of {family.name} have")
    if (last := max(added.values())) >= rows:
        raise UsageError(f"{path}: has the id {last}, the embeddings have {rows} rows")
    seg, notes = config.get("seg_token_idx"), []
    if seg is not None and seg != added[SEG]:
        if seg < rows:
            raise UsageError(f"{folder}: seg_token_idx is {seg} in config.json, {SEG} is {added[SEG]} in {ADDED}")
        notes.append(f"seg_token_idx is {seg} in config.json, outside the vocabulary; {SEG} is {added[SEG]}")
    region = config.get("bbox_token_idx")
    if region is not None and REGION in added and region != added[REGION]:
        notes.append(f"bbox_token_idx is {region} in config.json, not used; {REGION} is {added[REGION]} in {ADDED}")
    return Vocabulary(_tokenizer(path, model, added), added, rows, (), tuple(notes))


def extend_vocabulary(folder: Path, rows: int) -> Vocabulary:
    """The vocabulary of a LLaVA with the tokens of MGLMM behind it.

    Args:
        folder: with tokenizer.model, and added_tokens.json where there are added tokens.
        rows: of the embeddings; rows without a token are dropped.

    Raises:
        UsageError: if tokenizer.model is missing, or tokens have no rows.
    """
    model, pieces = _pieces(folder)
    path = folder / ADDED
    added = _added(path, pieces) if path.is_file() else {}
    first = max([pieces.vocab_size() - 1, *added.values()]) + 1
    if first > rows:
        raise UsageError(f"{folder}: the tokenizer has {first} tokens, the embeddings have {rows} rows")
    new = tuple(token for token in ADDED_TOKENS if token not in added)
    added |= {token: first + i for i, token in enumerate(new)}
    notes = (f"{rows - first} rows of the embeddings had no token and were dropped",) if first < rows else ()
    return Vocabulary(_tokenizer(path, model, added), added, first, new, notes)


def _pieces(folder: Path) -> tuple[bytes, SentencePieceProcessor]:
    path = folder / SentencePieceTokenizer.FILE
    if not path.is_file():
        raise UsageError(f"{path}: missing; copy it from the release that the checkpoint was trained from")
    model = path.read_bytes()
    try:
        return model, SentencePieceProcessor(model_proto=model)
    except RuntimeError as error:
        raise UsageError(f"{path}: not a SentencePiece model: {' '.join(str(error).split())}") from error


def _added(path: Path, pieces: SentencePieceProcessor) -> dict[str, int]:
    """The added tokens by rising id, without pieces of the model that some releases list again."""
    table = read_table(path)
    for token, number in table.items():
        if not isinstance(number, int):
            raise UsageError(f"{path}: the id of {token} is {number!r}")
    own = {token: number for token, number in table.items() if pieces.piece_to_id(token) != number}
    return dict(sorted(own.items(), key=lambda entry: entry[1]))


def _tokenizer(path: Path, model: bytes, added: Mapping[str, int]) -> SentencePieceTokenizer:
    try:
        return SentencePieceTokenizer(model, added)
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from error
