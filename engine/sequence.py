"""Where text and image tokens stand in the language model's input.

A prompt is a prefix, the same for every question about a photograph, and the question behind it:

    prefix   = <s>, text before the image, P image tokens, text after the image
    question = the rest of the chat template, up to where the answer begins

Legend: `B` rows, `P` image tokens, `D` hidden size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.model.config import ModelConfig
from engine.model.tokenizer import TextTokenizer
from engine.prompts import IMAGE, TEMPLATES


@dataclass(frozen=True, slots=True)
class Prefix:
    """Ids before and after the image tokens."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    image_tokens: int

    def __len__(self) -> int:
        return len(self.before) + self.image_tokens + len(self.after)

    def embed(self, table: nn.Module, tokens: Tensor) -> Tensor:
        """Input embeddings of the prefix for the image tokens `(B, P, D)`: `(B, len(self), D)`."""
        rows = tokens.shape[0]
        text = torch.tensor([*self.before, *self.after], device=tokens.device)
        embedded = table(text).to(tokens.dtype).expand(rows, -1, -1)
        cut = len(self.before)
        return torch.cat([embedded[:, :cut], tokens, embedded[:, cut:]], dim=1)


class PromptWriter:
    """Turns questions and answers into ids, by the model's chat template."""

    def __init__(self, config: ModelConfig, tokenizer: TextTokenizer) -> None:
        self._template = TEMPLATES[config.template]
        self._tokenizer = tokenizer
        before, after = self._template.prefix.split(IMAGE)
        self.prefix = Prefix(
            before=(tokenizer.bos, *tokenizer.encode(before)),
            after=tuple(tokenizer.encode(after)),
            image_tokens=config.global_encoder.tokens,
        )

    def question(self, text: str) -> list[int]:
        """Ids of a question, behind the prefix."""
        return self._tokenizer.encode(self._template.rest(text))

    def answer(self, text: str) -> list[int]:
        """Ids of an answer to be learned, with the stop token."""
        return [*self._tokenizer.encode(" " + text), self._tokenizer.eos]
