"""What the engine asks of a tokenizer, and the tokens of the unified format."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

BOS, EOS, PAD, UNK = "<s>", "</s>", "<pad>", "<unk>"
IM_START, IM_END = "<im_start>", "<im_end>"
TAG = re.compile(r"\s*(<p>|</p>|\[SEG\])")
"""A tag of the unified format and the white space in front of it."""


class TextTokenizer(Protocol):
    """Text to token ids and back.

    Attributes:
        seg, eos, pad: ids.
        bos: id of what begins every text, or None where nothing does.
        region: id of the token at which a vector of a region stands, or None where the tokenizer lacks it.
    """

    seg: int
    bos: int | None
    eos: int
    pad: int
    region: int | None

    @property
    def size(self) -> int:
        """Number of tokens, added ones included."""
        ...

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, without `<s>` or `</s>` that it does not hold itself."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids`, tags kept and spaced as the unified format writes them; `</s>` and padding dropped.

        Ordinary tokens that spell a tag (`[`, `SEG`, `]`) don't make one: there is one `[SEG]` for each id of it.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write the tokenizer's files into `folder`."""
        ...


def own_token(tokenizer: TextTokenizer, tag: str) -> int | None:
    """The id of a tag, or None where it is spelt with several tokens; decoding makes no tag of those."""
    ids = tokenizer.encode(tag)
    return ids[0] if len(ids) == 1 else None
