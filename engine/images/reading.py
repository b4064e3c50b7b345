"""A picture's file, read no further than a picture can ask for, and parts of one as a file of their own.

Decoders trust a file's length, and some of them walk over junk a byte at a time. A file of ten gigabytes that takes no
room on the disk would keep them busy for hours, or fill the memory.
"""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from engine.errors import PhotographError

_READS = 1_000_000
"""How often a decoder may ask for bytes; a picture of the largest size takes some ten thousand."""


class PictureFile(io.BufferedReader):
    """A file, open for reading.

    Args:
        path: of a regular file.

    Attributes:
        size: in bytes.

    Raises:
        OSError: if it can't be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(io.FileIO(path))
        self._left = _READS

    @property
    def size(self) -> int:
        return os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """As any file's.

        Raises:
            PhotographError: after a million times.
        """
        if size is not None and size > io.DEFAULT_BUFFER_SIZE:
            # Memory is taken for as much as is asked for, not for as much as is there.
            size = min(size, max(0, self.size - self.tell()))
        self._left -= 1
        if self._left < 0:
            raise PhotographError("open", "no picture data, or in pieces too small to be a picture's")
        return super().read(size)

    def read_at(self, at: int, size: int) -> bytes:
        """The bytes from a place on, fewer at the end of the file."""
        self.seek(at)
        return self.read(size)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes of a file, from `start` to `stop`."""

    start: int
    stop: int


Part = Stretch | bytes
"""What an excerpt is made of: bytes of the file, or such as stand there for others."""


class Excerpt(io.RawIOBase):
    """Parts of a file, one behind the other, as a file of their own.

    Args:
        file: where they are read, as they are asked for.
        parts: in order.
    """

    def __init__(self, file: PictureFile, parts: Iterable[Part]) -> None:
        self._file = file
        self._parts = _joined(parts)
        self._starts = [0]  # of each part, and where the last one ends
        for part in self._parts:
            self._starts.append(self._starts[-1] + _length(part))
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._starts[-1]}[whence]
        self._at = max(0, begin + offset)
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        """As any file's: fewer bytes than were asked for only at the end.

        Raises:
            PhotographError: as `PictureFile.read`.
        """
        left = self._starts[-1] - self._at
        if size is not None and size >= 0:
            left = min(size, left)
        found = []
        while left > 0:
            number = bisect_right(self._starts, self._at) - 1
            part, inside = self._parts[number], self._at - self._starts[number]
            take = min(left, _length(part) - inside)
            if isinstance(part, bytes):
                piece = part[inside : inside + take]
            else:
                piece = self._file.read_at(part.start + inside, take)
            if not piece:  # the file has become shorter
                break
            found.append(piece)
            self._at += len(piece)
            left -= len(piece)
        return b"".join(found)


def _joined(parts: Iterable[Part]) -> list[Part]:
    """Without what is empty, and with one stretch for neighbours."""
    joined: list[Part] = []
    for part in parts:
        before = joined[-1] if joined else None
        if isinstance(part, Stretch) and isinstance(before, Stretch) and before.stop == part.start:
            joined[-1] = Stretch(before.start, part.stop)
        elif _length(part):
            joined.append(part)
    return joined


def _length(part: Part) -> int:
    return len(part) if isinstance(part, bytes) else part.stop - part.start
