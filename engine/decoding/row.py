"""A question on its way to an answer: what is asked, how tokens are chosen, the row that grows, and what came of it.

Legend: `P` image tokens, `D` hidden size, `R` regions of a question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from engine.decoding.sequence import Prefix
from engine.model.llama import PrefixCache
from engine.model.tokenizers import TextTokenizer


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen.

    Attributes:
        temperature: 0 takes the likeliest token, else it is drawn from the softmax.
        seed: of the draws.
        forced: the stop token is never chosen, so that every answer is as long as its limit; to measure with.
        seg_every: each so-many-th token of an answer is `[SEG]`, so that random weights have masks to measure; None:
            as the model chooses.
    """

    temperature: float = 0.0
    seed: int = 0
    forced: bool = False
    seg_every: int | None = None

    def imposed(self, place: int, seg: int) -> int | None:
        """The token that stands at a place of every answer, whatever the model chooses.

        Args:
            place: counted from 0.
            seg: id of `[SEG]`.
        """
        return seg if self.seg_every and (place + 1) % self.seg_every == 0 else None


@dataclass(frozen=True, slots=True)
class Request:
    """One question to be answered.

    Attributes:
        prefix: the prompt prefix of the model.
        tokens: `(P, D)`, the image tokens of its photograph, or `(P, (1 + K) * D)` with their `K` deep features.
        question: ids behind the prefix.
        limit: most new tokens; cut so that prompt and answer fit the model's positions.
        regions: `(R, D)`, the vectors of its region tokens, or None.
        cached: what an earlier question about the same photograph left of the prefix.
        keep_prefix: leave the prefix to later questions.
        draw: which draws it gets, whoever shares its batch.
    """

    prefix: Prefix
    tokens: Tensor
    question: Sequence[int]
    limit: int
    regions: Tensor | None = None
    cached: PrefixCache | None = None
    keep_prefix: bool = False
    draw: int = 0


@dataclass(frozen=True, slots=True)
class Generated:
    """One generated answer.

    Attributes:
        ids: the new tokens, without the stop token.
        seg_states: `(n, D)`, the state behind each `[SEG]` of `ids`, in order.
        truncated: the length limit came before the stop token.
        probabilities: of each of `ids` under the softmax of its step, whatever the temperature; None for one that was
            imposed.
        prefix: keys and values of the prefix, if asked for.
    """

    ids: tuple[int, ...]
    seg_states: Tensor
    truncated: bool
    probabilities: tuple[float | None, ...]
    prefix: PrefixCache | None = None


@dataclass(slots=True)
class Row:
    """One answer while it grows."""

    name: int
    request: Request
    limit: int
    width: int
    tokenizer: TextTokenizer
    delay: int
    sampling: Sampling
    stop: str | None = None
    finished: bool = False
    ids: list[int] = field(default_factory=list)
    probabilities: list[float | None] = field(default_factory=list)
    draws: torch.Generator = field(init=False)
    _states: list[Tensor] = field(default_factory=list)
    _waiting: bool = False
    _stopped: bool = False

    def __post_init__(self) -> None:
        self.draws = torch.Generator().manual_seed(hash((self.sampling.seed, self.request.draw)) & (2**63 - 1))

    @property
    def length(self) -> int:
        """Tokens of prompt and answer so far."""
        return len(self.request.prefix) + len(self.request.question) + len(self.ids)

    @property
    def last(self) -> int:
        """The token that is read next."""
        return self.ids[-1]

    def take(self, state: Tensor, token: int, probability: float) -> None:
        """A step has chosen `token` from `state` `(D,)`, with this probability."""
        if self._waiting:
            self._deliver(state)
        if len(self.ids) == self.limit:
            # That step was only for the state of a [SEG] that came last.
            self.finished = True
            return
        imposed = self.sampling.imposed(len(self.ids), self.tokenizer.seg)
        token = token if imposed is None else imposed
        if token == self.tokenizer.eos:
            self._stopped = self.finished = True
            return
        self.ids.append(token)
        self.probabilities.append(probability if imposed is None else None)
        if token == self.tokenizer.seg:
            self._waiting = True
            if not self.delay:
                self._deliver(state)
        self._stopped = self._has_stopped()
        self.finished = (self._stopped or len(self.ids) == self.limit) and not self._waiting

    def _has_stopped(self) -> bool:
        """Whether the text ends with the stop text, which may be cut into tokens in many ways."""
        if self.stop is None:
            return False
        return self.tokenizer.decode(self.ids[-len(self.stop) - 1 :]).replace("\n", "").endswith(self.stop)

    def _deliver(self, state: Tensor) -> None:
        self._states.append(state.clone())
        self._waiting = False

    def result(self, prefix: PrefixCache | None) -> Generated:
        """The finished answer."""
        states = torch.stack(self._states) if self._states else self.request.tokens.new_zeros(0, self.width)
        return Generated(tuple(self.ids), states, not self._stopped, tuple(self.probabilities), prefix)
