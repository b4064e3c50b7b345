"""What tokenizers of the library `tokenizers` have in common: a vocabulary in which each tag is a token."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import ClassVar

from tokenizers import Tokenizer

from engine.errors import UsageError
from engine.model.tokenizers.base import TAG
from engine.text.grammar import PHRASE_CLOSE, PHRASE_OPEN, SEG


class ByteLevelTokenizer:
    """Text to ids and back.

    Args:
        tokenizer: has the tags.
        needed: tokens that it must have.
        kind: whose tokenizer it should be, for messages.
        eos, pad: tokens.
        silent: tokens that are not decoded, besides these.

    Raises:
        UsageError: if a token is missing.
    """

    GAP: ClassVar[str] = ""
    """Stands before each tag of a decoded text, where the tokens themselves hold no white space for it."""

    def __init__(
        self, tokenizer: Tokenizer, *, needed: Sequence[str], kind: str, eos: str, pad: str, silent: Sequence[str] = ()
    ) -> None:
        self._tokenizer = tokenizer
        missing = [token for token in needed if tokenizer.token_to_id(token) is None]
        if missing:
            raise UsageError(f"the tokenizer lacks {', '.join(missing)}: it is not one of {kind}")
        self.seg, self.eos, self.pad = (self._id(token) for token in (SEG, eos, pad))
        self._silent = frozenset((self.eos, self.pad, *map(self._id, silent)))
        self._tags = {self._id(tag): tag for tag in (PHRASE_OPEN, PHRASE_CLOSE, SEG)}

    def _id(self, token: str) -> int:
        found = self._tokenizer.token_to_id(token)
        assert found is not None
        return found

    @property
    def size(self) -> int:
        """Number of tokens, added ones included."""
        # A foreign file may leave ids out.
        return max(self._tokenizer.get_vocab().values()) + 1

    def encode(self, text: str) -> list[int]:
        """See `TextTokenizer`."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int]) -> str:
        """See `TextTokenizer`."""
        text = ""
        for tag, run in groupby((i for i in ids if i not in self._silent), key=self._tags.get):
            if tag is None:
                text += TAG.sub(" ", self._tokenizer.decode(list(run), skip_special_tokens=False))
            else:
                text += (self.GAP + tag) * len(list(run))
        return text.strip()
