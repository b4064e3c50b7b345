"""SentencePiece with added tokens that change nothing beside them, as InternLM2 was trained with it.

Text is cut at added tokens; what stands between them is encoded alone, as it is. An added token may take the id of a
piece that SentencePiece keeps for such uses. Whether a space is put in front is the SentencePiece model's own matter.

Source: the slow InternLM2 tokenizer of its releases.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from sentencepiece import SentencePieceProcessor

from engine.errors import UsageError
from engine.model.limits import read_table, require_file
from engine.model.tokenizers.base import TAG
from engine.model.tokenizers.qwen import END, IMAGE_TOKEN
from engine.text.grammar import PHRASE_CLOSE, PHRASE_OPEN, SEG

_NEEDED = (SEG, PHRASE_OPEN, PHRASE_CLOSE, END)
_SETTINGS = "tokenizer_config.json"


class PieceTokenizer:
    """A SentencePiece model and its added tokens.

    Args:
        model: content of `tokenizer.model`.
        added: id of each added token, of those with ids of their own and those in place of a piece.
        begins: whether every text begins with the model's `<s>`.

    Raises:
        ValueError: if a needed token is missing or an id is taken twice.
    """

    FILE, ADDED = "pieces.model", "pieces_added.json"

    def __init__(self, model: bytes, added: Mapping[str, int], *, begins: bool = True) -> None:
        self._model, self._added, self._begins = model, dict(added), begins
        self._pieces = SentencePieceProcessor(model_proto=model)
        if missing := [token for token in _NEEDED if token not in added]:
            raise ValueError(f"lacks {', '.join(missing)}")
        if len(set(added.values())) < len(added) or min(added.values()) < 0:
            raise ValueError("gives an id to two tokens")
        self.seg, self.eos = added[SEG], added[END]
        self.bos: int | None = self._pieces.bos_id() if begins else None
        self.pad = self._pieces.eos_id()
        self.region = added.get(IMAGE_TOKEN)
        self._names = {id: token for token, id in added.items()}
        self._tags = {added[tag]: tag for tag in (PHRASE_OPEN, PHRASE_CLOSE, SEG)}
        self._cut = re.compile("(" + "|".join(map(re.escape, sorted(added, key=len, reverse=True))) + ")")

    @property
    def size(self) -> int:
        """Number of tokens, added ones included."""
        return max(self._pieces.vocab_size(), max(self._added.values()) + 1)

    def encode(self, text: str) -> list[int]:
        """See `TextTokenizer`."""
        ids: list[int] = []
        for number, piece in enumerate(self._cut.split(text)):  # text and tokens by turns
            if number % 2:
                ids.append(self._added[piece])
            elif piece:
                ids += self._pieces.encode(piece)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """See `TextTokenizer`."""
        silent = {self._pieces.bos_id(), self.pad, self.eos}
        text = ""
        for is_added, run in groupby((i for i in ids if i not in silent), key=self._names.__contains__):
            if is_added:
                # Pieces hold no white space for the tags between them.
                text += "".join(f" {self._tags.get(i) or self._names[i]}" for i in run)
            else:
                text += " " + TAG.sub(" ", self._pieces.decode([i for i in run if i < self._pieces.vocab_size()]))
        return re.sub(r" {2,}", " ", text).strip()

    def save(self, folder: Path) -> None:
        """Write its two files into `folder`."""
        (folder / self.FILE).write_bytes(self._model)
        content = {"begins": self._begins, "added": self._added}
        (folder / self.ADDED).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> PieceTokenizer:
        """Read the files of a model folder.

        Raises:
            UsageError: if one is missing or can't be read.
        """
        path = folder / cls.ADDED
        table = read_table(path) if path.is_file() else {}
        return cls._made(folder / cls.FILE, path, table.get("added"), begins=table.get("begins") is not False)

    @classmethod
    def read(cls, folder: Path) -> PieceTokenizer:
        """Read the files of a release: `tokenizer.model` and `tokenizer_config.json`.

        Raises:
            UsageError: if one is missing or can't be read.
        """
        path = folder / _SETTINGS
        if not path.is_file():
            raise UsageError(f"{path}: missing; copy it from the release")
        settings = read_table(path)
        listed = settings.get("added_tokens_decoder")
        if not isinstance(listed, dict):
            raise UsageError(f"{path}: lacks added_tokens_decoder, which says what the added tokens are")
        added = {}
        for number, token in listed.items():
            content = token.get("content") if isinstance(token, dict) else None
            if not number.isdecimal() or not isinstance(content, str) or not content:
                raise UsageError(f"{path}: added_tokens_decoder: {number} is no id of a token")
            added[content] = int(number)
        begins = settings.get("add_bos_token") is not False
        return cls._made(folder / "tokenizer.model", path, added, begins=begins)

    @classmethod
    def _made(cls, model: Path, path: Path, added: object, *, begins: bool) -> PieceTokenizer:
        if not model.is_file():
            raise UsageError(f"{model}: missing; copy it from the release")
        require_file(model)
        try:
            if not isinstance(added, dict) or not all(type(number) is int for number in added.values()):
                raise ValueError("has no table of added tokens")
            return cls(model.read_bytes(), added, begins=begins)
        except ValueError as error:
            raise UsageError(f"{path}: {error}") from error
        except RuntimeError as error:  # SentencePiece's own
            raise UsageError(f"{model}: not a SentencePiece model: {' '.join(str(error).split())}") from error
