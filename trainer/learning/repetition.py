"""Names that an answer has used up: a phrase of a thing is not followed by another phrase of the same thing.

Learned from what must not be said, since what is said never repeats: wherever a phrase is written, the head words of
the phrases before it in the same answer are made unlikely.

Source: unlikelihood training, arXiv 1908.04319. Legend: `K` tokens to be learned, `V` vocabulary, `U` pairs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.model.tokenizers import TextTokenizer, own_token
from engine.text.grammar import PHRASE_CLOSE, PHRASE_OPEN

_SHORTEST = 3
"""Letters of what tells a word from others."""


class UsedNames:
    """Finds them by a tokenizer."""

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._tokenizer = tokenizer
        self._open, self._close = own_token(tokenizer, PHRASE_OPEN), own_token(tokenizer, PHRASE_CLOSE)

    def find(self, ids: Sequence[int], learned: Sequence[bool]) -> list[tuple[int, int]]:
        """What must not be said where.

        Args:
            ids: of a conversation.
            learned: whether each id belongs to an answer.

        Returns:
            pairs of a place in `ids` and an id that must not stand there; none where tags are no tokens of their own.
        """
        if self._open is None or self._close is None:
            return []
        out: list[tuple[int, int]] = []
        for phrases in self._answers(ids, learned):
            words = [{ids[place] for place in phrase} for phrase in phrases]
            used: list[set[int]] = []
            for number, phrase in enumerate(phrases):
                # "A dog" after "two dogs": what comes again, here or later, is no repetition.
                later = set().union(*words[number:])
                gone = sorted(set().union(*(name for name in used if not name & later)))
                out += [(place, word) for place in phrase for word in gone]
                used.append(self._names([ids[place] for place in phrase]))
        return out

    def _answers(self, ids: Sequence[int], learned: Sequence[bool]) -> list[list[list[int]]]:
        """The places of the words of each phrase of each answer."""
        answers: list[list[list[int]]] = []
        phrase: list[int] | None = None
        before = False
        for place, (token, answered) in enumerate(zip(ids, learned, strict=True)):
            if answered and not before:
                answers.append([])
            before = answered
            if not answered or token == self._close:
                phrase = None
            elif token == self._open:
                phrase = []
                answers[-1].append(phrase)
            elif phrase is not None:
                phrase.append(place)
        return [[phrase for phrase in phrases if phrase] for phrases in answers]

    def _names(self, phrase: Sequence[int]) -> set[int]:
        """What begins the last word of a phrase, in the singular and in the plural."""
        word = self._tokenizer.decode(phrase).rpartition(" ")[2]
        stem = word.removesuffix("s")
        if len(stem) < _SHORTEST:
            return set()
        ids = (self._tokenizer.encode(f" {form}") for form in (word, stem, f"{stem}s"))
        # What only begins a word may begin another one as well.
        return {form[0] for form in ids if len(form) == 1 or len(self._tokenizer.decode(form[:1])) >= _SHORTEST}


def repetition_loss(logits: Tensor, rows: Tensor, ids: Tensor) -> Tensor:
    """Mean unlikelihood `-log(1 - p)`; zero for `U = 0`.

    Args:
        logits: `(K, V)`.
        rows: `(U,)`, where in `K`.
        ids: `(U,)`, what must not be said there.
    """
    if not len(rows):
        return logits.sum() * 0
    chosen = logits[rows].float()
    likely = chosen.gather(1, ids[:, None])[:, 0] - torch.logsumexp(chosen, dim=1)
    return -torch.log1p(-likely.exp().clamp(max=1 - 1e-4)).mean()
