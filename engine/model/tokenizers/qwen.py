"""Qwen's byte-level BPE with the tokens that Sa2VA adds, as its releases hold it.

Nothing begins a text, and no space is made or dropped: what stands between tags are ordinary tokens.
"""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from engine.errors import UsageError
from engine.model.limits import require_file
from engine.model.tokenizers.byte_level import ByteLevelTokenizer
from engine.text.grammar import PHRASE_CLOSE, PHRASE_OPEN, SEG

END, PAD = "<|im_end|>", "<|endoftext|>"
IMAGE_TOKEN = "<IMG_CONTEXT>"
"""Stands for an image token where a question repeats some."""
_NEEDED = (SEG, PHRASE_OPEN, PHRASE_CLOSE, END, PAD)


class QwenTokenizer(ByteLevelTokenizer):
    """A `tokenizers` tokenizer, taken over as it is.

    Args:
        content: of a release's `tokenizer.json`.

    Raises:
        UsageError: if it is no tokenizer, or lacks a token.
    """

    FILE = "qwen_tokenizer.json"
    bos: int | None = None

    def __init__(self, content: str) -> None:
        self._content = content
        try:
            tokenizer = Tokenizer.from_str(content)
        except Exception as error:  # tokenizers raises bare Exception
            raise UsageError(f"not a tokenizer: {error}") from error
        super().__init__(tokenizer, needed=_NEEDED, kind="Sa2VA", eos=END, pad=PAD)
        self.region: int | None = tokenizer.token_to_id(IMAGE_TOKEN)

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
