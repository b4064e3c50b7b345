"""Which probabilities belong to the words of which phrase: an answer's tokens, cut where its tags are."""

from __future__ import annotations

from collections.abc import Sequence

from engine.model.tokenizers import TextTokenizer, own_token
from engine.text.grammar import PHRASE_CLOSE, PHRASE_OPEN


class Words:
    """Knows which tokens are tags, and which are words.

    Args:
        tokenizer: of the model.
    """

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._tokenizer = tokenizer
        alone = (own_token(tokenizer, tag) for tag in (PHRASE_OPEN, PHRASE_CLOSE))
        self._tags = frozenset((tokenizer.seg, *(token for token in alone if token is not None)))
        self._blank: dict[int, bool] = {}

    def between_tags(self, ids: Sequence[int], probabilities: Sequence[float | None]) -> list[list[float]]:
        """The probabilities of the words before, between and behind the tags of an answer.

        Args:
            ids: of the answer.
            probabilities: of each, None where it had none of its own.
        """
        found: list[list[float]] = [[]]
        for token, probability in zip(ids, probabilities, strict=True):
            if token in self._tags:
                found.append([])
            elif probability is not None and not self._is_blank(token):
                found[-1].append(probability)
        return found

    def _is_blank(self, token: int) -> bool:
        """Whether a token is white space, or nothing that is read."""
        if token not in self._blank:
            self._blank[token] = not self._tokenizer.decode([token]).strip()
        return self._blank[token]
