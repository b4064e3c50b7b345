"""What the inputs of a run stand for: a file, a folder, or what a pattern matches below a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import translate

from engine.errors import UsageError
from engine.images.formats.kinds import is_address

_MAGIC = re.compile(r"[*?\[]")
_NOT_LOOKED_INTO = frozenset({"@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "__MACOSX"})
"""Folders that systems keep beside photographs: small copies of them, and what was thrown away."""
_LITTER = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})


def is_hidden(name: str) -> bool:
    """Whether a search leaves a name alone, as one that no photographer has given."""
    return name.startswith(".") or name in _NOT_LOOKED_INTO or name.lower() in _LITTER


def visible_above(folder: str) -> Iterator[str]:
    """`folder` and the folders above it from which a search, which leaves hidden names alone, gets to it."""
    while True:
        yield folder
        above, name = os.path.split(folder)
        if above == folder or is_hidden(name):
            return
        folder = above


def is_within(path: str, folder: str | None) -> bool:
    """Whether a path is a folder, or below it; both resolved. Nothing is in no folder."""
    return folder is not None and (path == folder or path.startswith(os.path.join(folder, "")))


@dataclass(frozen=True, slots=True)
class Input:
    """One input: what to take below the absolute folder `top`.

    Attributes:
        given: as the user wrote it, for messages.
        top, real: the folder, and the same with all links resolved.
        file: the one name to take, or empty.
        steps: what the names on the way down must match, None for `**`; nothing takes the whole folder.
    """

    given: str
    top: str
    real: str
    file: str = ""
    steps: tuple[re.Pattern[str] | None, ...] = ()

    @classmethod
    def of(cls, given: str) -> Input:
        """What an input stands for.

        Raises:
            UsageError: if there is nothing of its kind.
        """
        path = os.path.abspath(given)
        if given and os.path.isdir(path):
            return cls(given, path, os.path.realpath(path))
        if given and os.path.lexists(path):
            top, file = os.path.split(path)
            return cls(given, top, os.path.realpath(top), file)
        if not os.path.lexists(path) and is_address(given):
            raise UsageError(f"{given}: an address, no file: download it first")
        if not _MAGIC.search(given):
            raise UsageError(f"{given or repr(given)}: no such file or folder")
        top, *names = path.split(os.sep)
        top += os.sep
        # A folder that exists under its very name, brackets and all, is no pattern.
        while not _MAGIC.search(names[0]) or os.path.isdir(os.path.join(top, names[0])):
            top = os.path.join(top, names.pop(0))
        if not os.path.isdir(top):
            raise UsageError(f"{given}: no such folder: {top}")
        # Deeper down, what is called like the pattern itself is meant too.
        steps = tuple(None if name == "**" else re.compile(rf"{translate(name)}|{re.escape(name)}\Z") for name in names)
        return cls(given, top, os.path.realpath(top), steps=steps)

    def begin(self) -> frozenset[int]:
        """The set of steps that may come next, at the top. `len(steps)` in it means: matched."""
        return self._skip_stars({0})

    def advance(self, state: frozenset[int], name: str) -> frozenset[int]:
        """The same one name further down. What lies below a match is matched; an empty set never will be."""
        after = set()
        for at in state:
            if at == len(self.steps):
                after.add(at)
                continue
            step = self.steps[at]
            if step is None:
                after.add(at)
            elif step.match(name):
                after.add(at + 1)
        return self._skip_stars(after)

    def given_path(self, below: str) -> str:
        """The path of what lies below the top, as a shell would have written it out."""
        if self.file:
            return self.given
        if not self.steps:
            return os.path.join(self.given, below)
        path = os.path.join(self.top, below)
        return path if os.path.isabs(self.given) else os.path.relpath(path)

    def accepts(self, state: frozenset[int]) -> bool:
        """Whether what came so far is matched."""
        return len(self.steps) in state

    def lasting(self, state: frozenset[int]) -> frozenset[int]:
        """What of a folder's state holds in every folder below it."""
        return self._skip_stars({at for at in state if at == len(self.steps) or self.steps[at] is None})

    def reaches(self, path: str) -> bool:
        """Whether a search of this input meets the absolute file `path`."""
        prefix = os.path.join(self.real, "")
        if not path.startswith(prefix):
            return False
        state = self.begin()
        for name in path[len(prefix) :].split(os.sep):
            if is_hidden(name):
                return False
            state = self.advance(state, name)
        return self.accepts(state)

    def _skip_stars(self, state: set[int]) -> frozenset[int]:
        for at, step in enumerate(self.steps):
            if at in state and step is None:
                state.add(at + 1)
        return frozenset(state)
