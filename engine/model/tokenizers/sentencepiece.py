"""SentencePiece with added tokens, as the public checkpoints of LISA, GLaMM and MGLMM were trained with it.

The rule: text is cut at added tokens and at `<s>`, `</s>`, `<unk>`. White space beside an added token is dropped,
beside the other three it is kept. Every piece of text between them is encoded alone, and so gets a space of its own in
front: `[SEG].` is `[SEG]`, `▁`, `.`. Later tokenizers of the same name cut otherwise and give other ids.

Source: the slow LLaMA tokenizer of transformers 4.28, which those models pin.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from sentencepiece import SentencePieceProcessor

from engine.errors import UsageError
from engine.model.limits import require_file
from engine.model.tokenizers.base import BOS, EOS, IM_END, IM_START, TAG, UNK
from engine.text.grammar import SEG
from engine.text.prompts import REGION

ADDED = "added_tokens.json"
_NEEDED = (SEG, IM_START, IM_END)
_CLOSE_UP = re.compile(r"(\[SEG\]) +(?=[.,;:!?)\]}'\"])")
"""The space in front of a full stop after `[SEG]` is the rule's, not the model's: both spellings have the same ids."""


class SentencePieceTokenizer:
    """A SentencePiece model and its added tokens.

    Args:
        model: content of `tokenizer.model`.
        added: id of each added token.

    Raises:
        ValueError: if a needed token is missing or an id is taken twice.
    """

    FILE = "tokenizer.model"

    def __init__(self, model: bytes, added: Mapping[str, int]) -> None:
        self._model = model
        self._added = dict(added)
        self._pieces = SentencePieceProcessor(model_proto=model)
        missing = [token for token in _NEEDED if token not in added]
        if missing:
            raise ValueError(f"lacks {', '.join(missing)}")
        if len(set(added.values())) < len(added) or min(added.values()) < self._pieces.vocab_size():
            raise ValueError("gives an id to two tokens")
        self.seg = added[SEG]
        self.bos: int | None = self._pieces.bos_id()
        self.eos = self._pieces.eos_id()
        # These models have no token of their own for padding.
        self.pad = self._pieces.unk_id()
        self.region = added.get(REGION)
        self._special = {BOS: self._pieces.bos_id(), EOS: self.eos, UNK: self.pad}
        self._names = {id: token for token, id in (self._special | self._added).items()}
        self._cut = re.compile(
            "(" + "|".join(map(re.escape, sorted(self._names.values(), key=len, reverse=True))) + ")"
        )

    @property
    def size(self) -> int:
        """Number of tokens, added ones included."""
        return max(self._added.values()) + 1

    def encode(self, text: str) -> list[int]:
        """See `TextTokenizer`."""
        ids: list[int] = []
        pieces = self._cut.split(text)  # text and tokens by turns
        for number, piece in enumerate(pieces):
            if number % 2:
                ids.append(self._added[piece] if piece in self._added else self._special[piece])
                continue
            if number and pieces[number - 1] in self._added:
                piece = piece.lstrip()
            if number + 1 < len(pieces) and pieces[number + 1] in self._added:
                piece = piece.rstrip()
            ids += self._pieces.encode(piece)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """See `TextTokenizer`."""
        silent = set(self._special.values())
        text = ""
        for is_added, run in groupby((i for i in ids if i not in silent), key=lambda i: i >= self._pieces.vocab_size()):
            if is_added:
                text += "".join(f" {self._names.get(i, '')}" for i in run)
            else:
                text += " " + TAG.sub(" ", self._pieces.decode(list(run)))
        return _CLOSE_UP.sub(r"\1", re.sub(r" {2,}", " ", text)).strip()

    def plain(self, ids: Sequence[int], *, skip_special: bool = False) -> str:
        """Text of `ids` to the letter of the public code, with its doubled spaces; image placeholders are skipped."""
        ids = [i for i in ids if i >= 0 and not (skip_special and i in self._special.values())]
        added = set(self._added.values())
        parts: list[str] = []
        for is_added, group in groupby(ids, key=added.__contains__):
            run = list(group)
            parts += [self._names[i] for i in run] if is_added else [self._plain_run(run)]
        return " ".join(parts)

    def _plain_run(self, ids: list[int]) -> str:
        """Ids without added tokens: a space goes before `<s>`, `</s>`, `<unk>` but the first and after another."""
        text, after_special = "", False
        run: list[int] = []
        for number, i in enumerate(ids):
            if i in self._special.values():
                text += (" " if number and not after_special else "") + self._pieces.decode(run) + self._names[i]
                run, after_special = [], True
            else:
                run.append(i)
                after_special = False
        return text + self._pieces.decode(run)

    def save(self, folder: Path) -> None:
        """Write `tokenizer.model` and `added_tokens.json` into `folder`."""
        (folder / self.FILE).write_bytes(self._model)
        (folder / ADDED).write_text(json.dumps(self._added, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> SentencePieceTokenizer:
        """Read `tokenizer.model` and `added_tokens.json` of `folder`.

        Raises:
            UsageError: if one is missing or can't be read.
        """
        paths = folder / cls.FILE, folder / ADDED
        for path in paths:
            if not path.is_file():
                raise UsageError(f"{folder}: {path.name} is missing")
            require_file(path)
        try:
            added = json.loads(paths[1].read_text(encoding="utf-8"))
            if not isinstance(added, dict) or not all(isinstance(i, int) for i in added.values()):
                raise ValueError("is not a table of ids")
            return cls(paths[0].read_bytes(), added)
        except ValueError as error:
            raise UsageError(f"{paths[1]}: {error}") from error
        except RuntimeError as error:  # SentencePiece's own
            raise UsageError(f"{paths[0]}: not a SentencePiece model: {' '.join(str(error).split())}") from error
