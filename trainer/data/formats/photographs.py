"""The photographs of a data set, found under the names that its annotation has for them.

Names have been on other systems: with `\\` for `/`, with `%20`, in the other form of Unicode, in other case, seen from
another folder; or they are those of this program's outputs. What can only mean one file is found; whatever leads out of
the data set is not looked for.
"""

from __future__ import annotations

import os
import posixpath
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from engine.errors import PhotographError, UsageError
from engine.images.header import Header, read_header
from engine.images.sources import inside
from engine.text.names import from_text
from trainer.data.formats.base import Skipped
from trainer.data.formats.reading import is_whole

_TURNED = (
    "its photograph is turned by its EXIF orientation, and its annotation has the size of the stored pixels: remove "
    "the orientation from the file, or annotate the photograph as it is seen"
)
_MAYBE_TURNED = (
    "a photograph with an EXIF orientation: its size does not tell whether it was annotated as it is seen, which is "
    "assumed, or as it is stored; then its masks lie on the wrong side"
)


@dataclass(frozen=True, slots=True)
class Photograph:
    """What is asked about: the path below the root of its data set, and the size in pixels, upright."""

    path: str
    height: int
    width: int


class Photographs:
    """Finds the photographs of one data set.

    Args:
        root: its folder.
        skipped: gets the entries whose photograph can't be used, and those of which it is not certain how they lie.
    """

    def __init__(self, root: Path, skipped: Skipped) -> None:
        self._names = Names(root)
        self._root, self._skipped = root, skipped
        self._last: tuple[str, Header] | None = None
        self._remarked: set[str] = set()

    def find(
        self, folder: str, name: Any, where: str, *, size: tuple[int | None, int | None], drawn: bool = True
    ) -> Photograph | None:
        """The photograph of an entry; None, and the entry noted, if it can't be used.

        Args:
            folder: that of the photographs, below the root; may be empty.
            name: as the annotation has it.
            where: the entry, for messages.
            size: height and width by the annotation, None for what it doesn't say.
            drawn: whether the annotation has places in the photograph (masks, boxes) and not only words.
        """
        try:
            path = self._names.find(folder, name)
        except ValueError as error:
            self._skipped.add(f"{where} ({shown(folder, name)})", str(error))
            return None
        try:
            header = self._header(path)
        except PhotographError as error:
            self._skipped.add(f"{where} ({path}: {error.reason})", "its photograph can't be read")
            return None
        if not _agree(size, header.height, header.width):
            turned = header.turned and _agree(size, *header.stored)
            if drawn or not turned:
                self._skipped.add(f"{where} ({path})", _disagreement(size, header))
                return None
        elif drawn and header.turned and _agree(size, *header.stored) and path not in self._remarked:
            self._remarked.add(path)
            self._skipped.remark(path, _MAYBE_TURNED)
        return Photograph(path, header.height, header.width)

    def _header(self, path: str) -> Header:
        # Entries about one photograph follow each other.
        if self._last is None or self._last[0] != path:
            self._last = path, read_header(self._root / path)
        return self._last[1]


class Names:
    """The files of a data set by names that have been on other systems.

    Args:
        root: its folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._listed: dict[str, dict[str, str | None]] = {}

    def find(self, folder: str, name: Any, what: str = "its photograph") -> str:
        """The path below the root of a file that is there.

        Args:
            folder: in which it lies, below the root; may be empty.
            name: as somebody has written it.
            what: it is, for messages.

        Raises:
            ValueError: if there is none, or the name leads elsewhere; says why.
        """
        if not isinstance(name, str) or not name.strip():
            raise ValueError("no file name")
        if "://" in name:
            raise ValueError("a file name that is an address")
        if "\0" in name:
            raise ValueError("a file name that no file can have")
        paths = list(dict.fromkeys(self._paths(folder, name)))
        if not paths:
            raise ValueError("a file name that leads out of the data set")
        for path in paths:
            if os.path.exists(self.root / path):
                return path
        for path in paths:
            alike = self._written_otherwise(path)
            if alike is not None:
                return alike
        raise ValueError(f"{what} is not there")

    def _paths(self, folder: str, name: str) -> Iterator[str]:
        """What a name can mean, most likely first, without what is not below the root."""
        unquoted = unquote(name, errors="surrogateescape")
        spellings = [name, from_text(name)] if is_whole(name) else [name]
        spellings += [name.replace("\\", "/"), unquoted, unquoted.replace("\\", "/")]
        for start in (folder, ""):
            for spelling in spellings:
                # Seen from the root, only what names a folder: any file might lie there.
                if start or not folder or "/" in spelling:
                    path = self._below(start, spelling)
                    if path is not None:
                        yield path

    def _below(self, folder: str, name: str) -> str | None:
        if name.startswith("/"):
            name = os.path.relpath(name, os.path.abspath(self.root))
        path = posixpath.normpath(posixpath.join(folder, name))
        try:
            inside(self.root, path)
        except UsageError:
            return None
        return path

    def _written_otherwise(self, path: str) -> str | None:
        """The one path that is alike but for Unicode's form and the case of letters; None if there is not one."""
        found = ""
        for part in path.split("/"):
            alike = self._list(found).get(plain(part))
            if alike is None:
                return None
            found = posixpath.join(found, alike)
        return found

    def _list(self, folder: str) -> dict[str, str | None]:
        """The names in a folder by their plain form; None for what is not the only one."""
        if folder not in self._listed:
            names: dict[str, str | None] = {}
            try:
                for name in os.listdir(self.root / folder):
                    names[plain(name)] = None if plain(name) in names else name
            except OSError:
                pass
            self._listed[folder] = names
        return self._listed[folder]


def shown(folder: str, name: Any) -> str:
    """The very name that was looked for, for messages."""
    if not isinstance(name, str):
        return f"file name: {str(name)[:50]}"
    return posixpath.join(folder, name[:200]) if "://" not in name else name[:200]


def plain(name: str) -> str:
    """What two names have in common that differ in Unicode's form and the case of letters only."""
    return unicodedata.normalize("NFC", name).casefold()


def _disagreement(size: tuple[int | None, int | None], header: Header) -> str:
    if header.turned and _agree(size, *header.stored):
        return _TURNED
    if size == (header.width, header.height):
        return "its photograph is turned against its annotation: the width of one is the height of the other"
    return "its photograph has another size than its annotation says"


def _agree(size: tuple[int | None, int | None], height: int, width: int) -> bool:
    return size[0] in (None, height) and size[1] in (None, width)
