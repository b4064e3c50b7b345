"""The singular of English plurals, by their usual endings."""

from __future__ import annotations

import re

_ENDINGS = ((r"ies$", "y"), (r"(?<=[sx])es$|(?<=[cs]h)es$", ""), (r"s$", ""))


class Pluralizer:
    """See `pluralizer.Pluralizer`."""

    def __init__(self) -> None:
        self._irregular = {"people": "person", "men": "man", "women": "woman", "children": "child"}

    def add_irregular_rule(self, single: str, plural: str) -> None:
        """A plural by itself."""
        self._irregular[plural] = single

    def singular(self, word: str) -> str:
        """What one of them is called."""
        if word in self._irregular:
            return self._irregular[word]
        return next((re.sub(ending, one, word) for ending, one in _ENDINGS if re.search(ending, word)), word)
