"""Where a photograph's files lie in what is exported: no two of them in one place, none outside."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from posixpath import splitext

_HASH = 4
"""Bytes that tell names apart which would be one."""


class Names:
    """Places for the photographs of a run.

    Names that differ only in their ending (`a.jpg`, `a.png`) would share a label file, names that differ in case share
    any file on some disks, and without folders `a/b.jpg` may meet `a__b.jpg`: these get a hash of the whole name, all
    of them, so that none depends on which one came first.

    Args:
        file_names: of all photographs, relative, with `/`.
        flat: without sub-folders.
    """

    def __init__(self, file_names: Iterable[str], *, flat: bool) -> None:
        self._flat = flat
        seen: set[bytes] = set()
        self._shared: set[bytes] = set()
        for name in file_names:
            key = _digest(self._plain(name).casefold(), 8)
            (self._shared if key in seen else seen).add(key)

    def stem(self, file_name: str) -> str:
        """The place of a photograph, with `/` and without an ending."""
        stem = self._plain(file_name)
        if _digest(stem.casefold(), 8) in self._shared:
            return f"{stem}-{_digest(file_name, _HASH).hex()}"
        return stem

    def _plain(self, file_name: str) -> str:
        # A list may name files anywhere.
        parts = [part for part in splitext(file_name)[0].split("/") if part not in ("", ".", "..")]
        return ("__" if self._flat else "/").join(parts) or "_"


def share(file_name: str) -> float:
    """A number in [0, 1) that a name always has, to split photographs by."""
    return int.from_bytes(_digest(file_name, 6)) / 2**48


def _digest(text: str, size: int) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).digest()
