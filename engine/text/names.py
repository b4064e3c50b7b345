r"""The names of files as they stand in every output: text that leads back to the file.

On most systems a name is bytes, and nobody promises that they are text. Here a name is what it is in UTF-8, and each
byte of it that is no UTF-8 stands as `\x` and its two hexadecimal digits in capitals: `caf\xE9.jpg`. Where a file is
really called so, its backslash stands as `\x5C`, so that no two files share a name and every name leads back to one.
Nothing else is changed: not how letters with accents are composed, not blanks, not newlines.

With other tools, the bytes of a name are

    re.sub(rb"\\x(5C|[89A-F][0-9A-F])", lambda found: bytes.fromhex(found[1].decode()), name.encode())
"""

from __future__ import annotations

import os
import re

_ESCAPE = re.compile(rb"\\x(5C|[89A-F][0-9A-F])")
_LIKE_ONE = re.compile(r"\\(?=x(?:5C|[89A-F][0-9A-F]))")
_NO_TEXT = re.compile(r"[\udc80-\udcff]")


def to_text(path: str | bytes | os.PathLike[str]) -> str:
    """The name of a file as text that any encoding of Unicode can hold.

    Args:
        path: as the system has it; a `str` is what Python makes of its bytes.
    """
    # On all systems and with all settings the same text for the same bytes.
    name = os.fsencode(path).decode("utf-8", "surrogateescape")
    return _NO_TEXT.sub(lambda byte: f"\\x{ord(byte[0]) - 0xDC00:02X}", _LIKE_ONE.sub(r"\\x5C", name))


def from_text(text: str) -> str:
    """The name of a file as Python opens it: the inverse of `to_text`."""
    found = _ESCAPE.sub(
        lambda escape: bytes.fromhex(escape[1].decode("ascii")), text.encode("utf-8", "surrogateescape")
    )
    return os.fsdecode(found)


def renewed(text: str) -> str:
    """The name that `to_text` gives, of one from before there was such a form, when half characters stood for bytes."""
    return to_text(text.encode("utf-8", "surrogateescape")) if _NO_TEXT.search(text) else text
