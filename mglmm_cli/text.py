"""Text from files and models, made safe to print."""

from __future__ import annotations

import unicodedata

# Control characters move a terminal's cursor, unpaired surrogates (undecodable file names) cannot be encoded,
# and direction marks reorder what is shown.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
_DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean(text: str) -> str:
    """Replace what must not reach a terminal, one character for one: positions in `text` stay valid."""
    return "".join(map(_clean_character, text))


def _clean_character(character: str) -> str:
    if character in "\t\n\r":
        return " "
    if unicodedata.category(character) in _UNPRINTABLE or character in _DIRECTION_MARKS:
        return "\ufffd"
    return character
