"""A list of names on stdin, in whatever form programs write one.

Names are bytes, and stay as they are: only where no file is called so are byte order marks in them and blanks around
them taken for what programs have added.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Callable, Iterator
from itertools import chain
from typing import BinaryIO

from engine.errors import UsageError

_CHUNK = 1 << 16
_LONGEST = 1 << 16
"""Bytes of a name; no system has longer ones."""
_FIRST_LINE = 4096
"""Bytes in which the first line ends, of a list in a wide encoding."""

# Each encoding with its mark, and with what an end of line holds. That of UTF-32 begins as that of UTF-16.
_WIDE = (
    (codecs.BOM_UTF32_LE, "utf-32-le", b"\n\0"),
    (codecs.BOM_UTF32_BE, "utf-32-be", b"\0\n"),
    (codecs.BOM_UTF16_LE, "utf-16-le", b"\n\0"),
    (codecs.BOM_UTF16_BE, "utf-16-be", b"\0\n"),
)
_MARK = "\ufeff"
_WITHOUT_MARK = re.compile(rb"(?:[^\0]\0){4}|(?:\0[^\0]){4}")
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n")
_NO_LIST = "stdin holds no list of photographs: write one file name a line, or separate them by NUL"


def read_names(stdin: BinaryIO) -> Iterator[str]:
    """The names of a list, as they come.

    They are on lines of their own (LF or CR LF) or separated by NUL: as bytes, or in UTF-16 or UTF-32 with its mark.

    Raises:
        UsageError: if it is no list.
    """
    for line in _split(_narrow(_chunks(stdin))):
        yield from _meant(os.fsdecode(line))


def _chunks(stdin: BinaryIO) -> Iterator[bytes]:
    # read1 hands over what a slow pipe has, where read would wait for the whole chunk.
    read: Callable[[int], bytes] = getattr(stdin, "read1", stdin.read)
    while chunk := read(_CHUNK):
        yield chunk


def _narrow(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The list in bytes: as it came, or in UTF-8 for a wider encoding."""
    start = next(chunks, b"")
    if start.startswith(_PICTURES):
        raise UsageError(f"{_NO_LIST}; it is a picture")
    encoding = None
    for mark, name, line_end in _WIDE:
        # Two bytes that may also begin a name that is no text: the end of the line tells.
        while len(start) < _FIRST_LINE and start[:1] == mark[:1] and line_end not in start:
            if not (chunk := next(chunks, b"")):
                break
            start += chunk
        if start.startswith(mark) and (line_end in start or start.count(0) * 4 >= len(start)):
            encoding = name
            break
    if encoding is None:
        if _WITHOUT_MARK.search(start, 0, _FIRST_LINE) and any(
            unit in start for unit in (b"\0.\0", b"\0/\0", b"\0\n\0")
        ):
            raise UsageError(f"{_NO_LIST}; it looks like UTF-16 without its mark: UTF-8 is taken")
        yield start
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
    try:
        for chunk in chain([start], chunks):
            yield decoder.decode(chunk).encode("utf-8", "surrogatepass")
        decoder.decode(b"", final=True)
    except UnicodeError:
        raise UsageError(f"{_NO_LIST}; it begins as {encoding[:6].upper()} and does not go on so") from None


def _split(chunks: Iterator[bytes]) -> Iterator[bytes]:
    separator, rest = b"\n", b""
    for chunk in chunks:
        if b"\0" in chunk:
            separator = b"\0"
        *names, rest = (rest + chunk).split(separator)
        yield from names if separator == b"\0" else (name.removesuffix(b"\r") for name in names)
        if len(rest) > _LONGEST:
            raise UsageError(_NO_LIST)
    yield rest if separator == b"\0" else rest.removesuffix(b"\r")


def _meant(line: str) -> Iterator[str]:
    """The names that a line stands for: none if it is empty, several where lists were put together."""
    added = _MARK in line or line != line.strip()
    if not added or os.path.lexists(line):
        if line:
            yield line
        return
    for name in line.split(_MARK):
        bare = name.strip()
        if bare:
            yield bare if os.path.lexists(bare) or not os.path.lexists(name) else name
