"""A picture's file, read no further than a picture can ask for.

Decoders trust a file's length, and some of them walk over junk a byte at a time. A file of ten gigabytes that takes no
room on the disk would keep them busy for hours, or fill the memory.
"""

from __future__ import annotations

import io
import os

from engine.errors import PhotographError

_READS = 1_000_000
"""How often a decoder may ask for bytes; a picture of the largest size takes some ten thousand."""


class PictureFile(io.BufferedReader):
    """A file, open for reading.

    Args:
        path: of a regular file.

    Raises:
        OSError: if it can't be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(io.FileIO(path))
        self._left = _READS

    def read(self, size: int | None = -1, /) -> bytes:
        """As any file's.

        Raises:
            PhotographError: after a million times.
        """
        if size is not None and size > io.DEFAULT_BUFFER_SIZE:
            # Memory is taken for as much as is asked for, not for as much as is there.
            size = min(size, max(0, os.fstat(self.fileno()).st_size - self.tell()))
        self._left -= 1
        if self._left < 0:
            raise PhotographError("open", "no picture data, or in pieces too small to be a picture's")
        return super().read(size)
