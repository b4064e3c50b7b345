"""Whether a phrase names several things at once, by the rules of English noun phrases.

What stands in the plural though it is one thing ("glasses", "jeans") names one.
"""

from __future__ import annotations

import re

from exporters.categories import head
from exporters.nouns import is_one_thing, is_plural_noun

_COUNTED = re.compile(
    r"(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|several|many|few|both|multiple|various|dozens?"
    r"|\d*[2-9]|\d+\d)\b",
    re.IGNORECASE,
)
_COLLECTED = re.compile(
    r"(?:(?:a|the|some)\s+)?(?:\w+\s+)?(?:groups?|crowds?|lots?|couple|number|bunch|rows?|piles?|stacks?|collection"
    r"|variety|set|cluster|dozen)\s+of\b",
    re.IGNORECASE,
)


def is_plural(phrase: str) -> bool:
    """Whether a phrase names several things.

    >>> is_plural("two brown dogs"), is_plural("a bus"), is_plural("The people")
    (True, False, True)
    """
    words = phrase.strip()
    start = re.sub(r"^(?:the|all|these|those)\s+", "", words, flags=re.IGNORECASE)
    noun = head(words).split()[-1]
    if is_one_thing(noun):
        return False
    if _COUNTED.match(start) or _COLLECTED.match(words):
        return True
    if re.match(r"(?:a|an|one)\s", start, re.IGNORECASE):
        return False
    return is_plural_noun(noun)
