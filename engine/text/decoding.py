"""Text files that others have written."""

from __future__ import annotations

import csv
import io
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


def rows_of(text: str) -> csv.DictReader[str]:
    """The rows of a table whose first line names its columns, between commas, semicolons or tabs.

    Strictly: it raises `csv.Error` for a quote that is not closed, which would swallow the rows behind it.
    """
    first = text.partition("\n")[0]
    return csv.DictReader(io.StringIO(text), delimiter=max(",;\t", key=first.count), strict=True)
