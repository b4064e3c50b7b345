"""Qwen's byte-level BPE with the tokens that Sa2VA adds, as its releases hold it.

Nothing begins a text, and no space is made or dropped: what stands between tags are ordinary tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from tokenizers import Tokenizer

from engine.errors import UsageError
from engine.model.limits import require_file
from engine.model.tokenizers.base import TAG
from engine.text.grammar import PHRASE_CLOSE, PHRASE_OPEN, SEG

END, PAD = "<|im_end|>", "<|endoftext|>"
_NEEDED = (SEG, PHRASE_OPEN, PHRASE_CLOSE, END, PAD)


class QwenTokenizer:
    """A `tokenizers` tokenizer, taken over as it is.

    Args:
        content: of a release's `tokenizer.json`.

    Raises:
        UsageError: if it is no tokenizer, or lacks a token.
    """

    FILE = "qwen_tokenizer.json"

    def __init__(self, content: str) -> None:
        self._content = content
        try:
            self._tokenizer = Tokenizer.from_str(content)
        except Exception as error:  # tokenizers raises bare Exception
            raise UsageError(f"not a tokenizer: {error}") from error
        missing = [token for token in _NEEDED if self._tokenizer.token_to_id(token) is None]
        if missing:
            raise UsageError(f"the tokenizer lacks {', '.join(missing)}: it is not one of Sa2VA")
        self.seg, self.eos, self.pad = (self._id(token) for token in (SEG, END, PAD))
        self.bos: int | None = None
        self.region: int | None = None
        self._silent = frozenset((self.eos, self.pad))
        self._tags = {self._id(tag): tag for tag in (PHRASE_OPEN, PHRASE_CLOSE, SEG)}

    def _id(self, token: str) -> int:
        found = self._tokenizer.token_to_id(token)
        assert found is not None
        return found

    @property
    def size(self) -> int:
        """Number of tokens, added ones included."""
        return max(self._tokenizer.get_vocab().values()) + 1

    def encode(self, text: str) -> list[int]:
        """See `TextTokenizer`."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int]) -> str:
        """See `TextTokenizer`; white space is the model's own."""
        text = ""
        for tag, run in groupby((i for i in ids if i not in self._silent), key=self._tags.get):
            if tag is None:
                text += TAG.sub(" ", self._tokenizer.decode(list(run), skip_special_tokens=False))
            else:
                text += tag * len(list(run))
        return text.strip()

    def save(self, folder: Path) -> None:
        """Write the file into `folder`."""
        (folder / self.FILE).write_text(self._content, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> QwenTokenizer:
        """Read the file of `folder`.

        Raises:
            UsageError: if it is missing or can't be read.
        """
        return cls.read(folder / cls.FILE)

    @classmethod
    def read(cls, path: Path) -> QwenTokenizer:
        """Read a file, by whatever name.

        Raises:
            UsageError: if it is missing or can't be read.
        """
        require_file(path)
        try:
            return cls(path.read_text(encoding="utf-8"))
        except (UsageError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}: {error}") from error
