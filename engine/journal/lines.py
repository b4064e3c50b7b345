"""JSON in ASCII, and lines of it that carry a checksum.

A line is `{"crc":"xxxxxxxx",` and what the checksum is of, so that it is JSON as a whole and nothing needs to be
encoded a second time to check it.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

import orjson

BEGIN = b'{"crc":"'
_BEFORE = len(BEGIN) + len('00000000",')

# What orjson does not take: text that is not UTF-8, such as the undecodable bytes of a file name.
_encode = json.JSONEncoder(ensure_ascii=True, allow_nan=False, check_circular=False, separators=(",", ":")).encode


def dump(value: object) -> bytes:
    """JSON in printable ASCII, so that any file name survives any encoding and no text moves a terminal's cursor.

    A number that is not finite becomes `null`: who has any looks for them first.
    """
    try:
        text = orjson.dumps(value)
    except TypeError:
        return _encode(value).encode("ascii")
    if text.isascii() and b"\x7f" not in text:
        return text
    return _encode(value).encode("ascii")


def load(text: bytes) -> Any:
    """The inverse of `dump`.

    Raises:
        ValueError: if it is not JSON, or nested too deep to be any of ours.
    """
    try:
        return orjson.loads(text)
    except ValueError:
        pass
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def seal(text: bytes) -> bytes:
    """A line, newline included, of a JSON object that has at least one key."""
    rest = text[1:]
    return b'{"crc":"%08x",%b\n' % (zlib.crc32(rest), rest)


def unseal(line: bytes) -> bytes | None:
    """What stands behind the checksum, without the first brace and the newline; None if the line is damaged."""
    rest = line[_BEFORE:-1]
    intact = line[:_BEFORE] == b'{"crc":"%08x",' % zlib.crc32(rest) and line[-1:] == b"\n"
    return rest if intact else None
