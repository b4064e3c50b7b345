"""Text files that others have written."""

from __future__ import annotations

import json


def decoded(content: bytes) -> str:
    """The text of a file in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    Raises:
        ValueError: if it is in another encoding.
    """
    try:
        return content.decode(json.detect_encoding(content)).removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8: save it as that") from None
