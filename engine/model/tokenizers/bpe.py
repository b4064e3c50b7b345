"""Byte-level BPE with the tokens of the unified format.

Tags swallow the white space in front of them, so `<p> a cup </p> [SEG]` is `<p>`, ` a`, ` cup`, `</p>`, `[SEG]`
and the token before `[SEG]` is always `</p>` or another `[SEG]`. `decode` writes the spaces back.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from engine.errors import UsageError
from engine.model.limits import require_file
from engine.model.tokenizers.base import BOS, EOS, IM_END, IM_START, PAD, TAG
from engine.model.tokenizers.byte_level import ByteLevelTokenizer
from engine.text.grammar import PHRASE_CLOSE, PHRASE_OPEN, SEG
from engine.text.prompts import REGION

_SPECIAL = (PAD, BOS, EOS, IM_START, IM_END, PHRASE_OPEN, PHRASE_CLOSE, SEG)


class BpeTokenizer(ByteLevelTokenizer):
    """A `tokenizers` tokenizer that has the tokens of the unified format."""

    FILE = "tokenizer.json"
    GAP = " "

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__(tokenizer, needed=_SPECIAL, kind="a model of mglmm", eos=EOS, pad=PAD, silent=(BOS,))
        self.bos: int | None = self._id(BOS)
        self.region: int | None = tokenizer.token_to_id(REGION)

    def save(self, folder: Path) -> None:
        """Write `tokenizer.json` into `folder`."""
        self._tokenizer.save(str(folder / self.FILE))

    @classmethod
    def load(cls, folder: Path) -> BpeTokenizer:
        """Read `tokenizer.json` of `folder`.

        Raises:
            UsageError: if it is missing or can't be read.
        """
        path = folder / cls.FILE
        if not path.is_file():
            raise UsageError(f"{folder}: {cls.FILE} is missing")
        require_file(path)
        try:
            return cls(Tokenizer.from_file(str(path)))
        except UsageError:
            raise
        except Exception as error:  # tokenizers raises bare Exception
            raise UsageError(f"{path}: not a tokenizer: {error}") from error

    @classmethod
    def extend(cls, tokenizer: Tokenizer) -> BpeTokenizer:
        """The byte-level BPE of a language model, with the tokens of the unified format behind its own.

        Raises:
            UsageError: if it is of another kind, which would cut texts differently from how it is asked to.
        """
        if not (isinstance(tokenizer.model, models.BPE) and isinstance(tokenizer.decoder, decoders.ByteLevel)):
            raise UsageError("its tokenizer is no byte-level BPE")
        tokenizer.add_special_tokens(_added_tokens())
        return cls(tokenizer)

    @classmethod
    def train(cls, texts: Iterable[str], vocabulary: int) -> BpeTokenizer:
        """Byte-level BPE over `texts`, with at most `vocabulary` tokens."""
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=_added_tokens(),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator((TAG.sub(" ", text) for text in texts), trainer)
        return cls(tokenizer)


def _added_tokens() -> list[AddedToken]:
    return [AddedToken(token, lstrip=True, special=True) for token in _SPECIAL]
