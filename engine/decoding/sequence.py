"""Where text and image tokens stand in the language model's input.

A prompt is a prefix, the same for every question about a photograph, and the conversation behind it:

    prefix       = <s>, text before the image, P image tokens, text after the image
    conversation = the rest of the chat template: the turns so far, up to where the next answer begins

Some language models ask where an image token lies in the photograph. Their positions have three axes: text counts on
in all of them, image tokens stand still in the first and have their row and column in the others, and the text behind
goes on where the longer side of the photograph ends. So what is behind the image stands earlier than its place says.

Legend: `B` rows, `P` image tokens, `D` hidden size, `K` deep features of an image token, `R` regions of a question.

Source: for the three axes, Qwen2-VL (arXiv 2409.12191), section 2.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.errors import UsageError
from engine.model.config import ModelConfig
from engine.model.tokenizers import TextTokenizer
from engine.text.prompts import IMAGE, REGION, TEMPLATES


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and its answer, in the unified format."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Prefix:
    """Ids before and after the image tokens.

    Attributes:
        before, after: the ids.
        image_tokens: how many there are between.
        grid: their rows and columns, for a language model that asks where they lie; None for any other.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    image_tokens: int
    grid: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self.before) + self.image_tokens + len(self.after)

    @property
    def shift(self) -> int:
        """How much is added to the place of what stands behind the image to get its position."""
        return 0 if self.grid is None else max(self.grid) - self.image_tokens

    def positions(self, start: int, stop: int) -> Tensor:
        """The positions of some places, in the prefix and behind it: `(3, stop - start)` int64."""
        places = torch.arange(start, stop).expand(3, -1)
        if self.grid is None:
            return places
        begin = len(self.before)
        cells = torch.arange(self.image_tokens)
        lying = torch.stack([torch.zeros_like(cells), cells // self.grid[1], cells % self.grid[1]]) + begin
        places = torch.arange(stop).expand(3, -1)
        whole = [places[:, :begin], lying, places[:, begin + self.image_tokens :] + self.shift]
        return torch.cat(whole, dim=1)[:, start:stop]

    def embed(self, table: nn.Module, tokens: Tensor) -> Tensor:
        """Input embeddings of the prefix for the image tokens `(B, P, D)`: `(B, len(self), D)`.

        With deep features both are `(1 + K) * D` wide; those of text are zeros.
        """
        rows = tokens.shape[0]
        text = torch.tensor([*self.before, *self.after], dtype=torch.long, device=tokens.device)
        embedded = as_wide(table(text).to(tokens.dtype), tokens).expand(rows, -1, -1)
        cut = len(self.before)
        return torch.cat([embedded[:, :cut], tokens, embedded[:, cut:]], dim=1)


@dataclass(frozen=True, slots=True)
class Text:
    """Ids behind the prefix.

    Attributes:
        ids: of questions and answers, in order.
        learned: for each id, whether it belongs to an answer (its stop token included).
    """

    ids: tuple[int, ...]
    learned: tuple[bool, ...]


class PromptWriter:
    """Turns conversations into ids, by the model's chat template.

    Attributes:
        prefix: that of the photograph with the most image tokens.
    """

    def __init__(self, config: ModelConfig, tokenizer: TextTokenizer) -> None:
        self._template = TEMPLATES[config.template]
        self._tokenizer = tokenizer
        before, after = self._template.prefix.split(IMAGE)
        self.prefix = Prefix(
            before=(*(() if tokenizer.bos is None else (tokenizer.bos,)), *tokenizer.encode(before)),
            after=tuple(tokenizer.encode(after)),
            image_tokens=config.global_encoder.tokens,
        )

    def prefix_of(self, image_tokens: int, grid: tuple[int, int] | None = None) -> Prefix:
        """The prefix of a photograph that has so many image tokens, in so many rows and columns where that counts."""
        return replace(self.prefix, image_tokens=image_tokens, grid=grid)

    def question(self, text: str, history: Sequence[Turn] = ()) -> list[int]:
        """Ids of a question behind the prefix, and of the turns before it."""
        return self._tokenizer.encode("".join(self._pieces([*_parts(history), text])))

    def conversation(self, turns: Sequence[Turn]) -> Text:
        """Ids of finished turns, to be learned from.

        Raises:
            ValueError: if an answer changes how the text before it is cut into tokens.
        """
        pieces = self._pieces(_parts(turns))
        ids = self._tokenizer.encode("".join(pieces))
        learned: list[bool] = []
        for number in range(len(pieces)):
            # Text is cut into tokens as a whole; where an answer begins is found by what stands before it.
            known = self._tokenizer.encode("".join(pieces[: number + 1]))
            if known != ids[: len(known)]:
                raise ValueError(f"the tokenizer joins {pieces[number][-20:]!r} with what follows it")
            learned += [number % 2 == 1] * (len(known) - len(learned))
        return Text(tuple(ids), tuple(learned))

    def _pieces(self, parts: Sequence[str]) -> list[str]:
        """Questions (even) and answers (odd) with the template's text around them."""
        template = self._template
        return [
            f"{template.gap}{part}{template.stop}"
            if number % 2
            else template.later(part)
            if number
            else template.first(part)
            for number, part in enumerate(parts)
        ]


def _parts(turns: Sequence[Turn]) -> list[str]:
    return [part for turn in turns for part in (turn.question, turn.answer)]


def as_wide(embedded: Tensor, tokens: Tensor) -> Tensor:
    """Embeddings of text `(..., D)`, with zeros behind them up to the width of image tokens that have deep features."""
    return F.pad(embedded, (0, tokens.shape[-1] - embedded.shape[-1]))


def embed_text(
    table: nn.Module, ids: Sequence[int], regions: Tensor | None, region: int | None, *, like: Tensor
) -> Tensor:
    """Input embeddings of text.

    Args:
        table: the input embeddings.
        ids: `T` of them.
        regions: `(R, D)` vectors for the region tokens, in order, or None.
        region: id of the region token.
        like: the image tokens, for device and dtype.

    Returns:
        `(T, D)`.

    Raises:
        UsageError: if there are more or fewer region tokens than regions.
    """
    where = torch.tensor(ids, dtype=torch.long, device=like.device)
    embedded = table(where).to(like.dtype)
    if regions is None:
        return embedded
    places = torch.tensor([n for n, i in enumerate(ids) if i == region], dtype=torch.long, device=like.device)
    if len(places) != len(regions):
        raise UsageError(f"the question has {len(places)} {REGION}, but {len(regions)} region(s) are given")
    return embedded.index_copy(0, places, regions.to(like.dtype))
