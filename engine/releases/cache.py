"""Converted releases on this machine.

    ~/.cache/mglmm/models/           `MGLMM_CACHE` or `XDG_CACHE_HOME` names another place than ~/.cache
        ByteDance--Sa2VA-1B-0123456789ab/
            release.json             what it was made of
            model/                   the model folder
            used                     empty; its time is that of the last use
        .ByteDance--Sa2VA-1B-0123456789ab.part/      one that is being made
        .ByteDance--Sa2VA-1B-0123456789ab.lock       held by the process that makes it

An entry has its name only when all of it is there.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from engine.errors import UsageError
from engine.json_file import read_json

_ABOUT, _MODEL, _USED = "release.json", "model", "used"
_PART, _LOCK = ".part", ".lock"
_FORMAT = 1
"""Raised when a conversion gives another model folder than it did: what older versions made is then made anew."""
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Release:
    """What is converted.

    Attributes:
        name: `org/name` on the hub, or the path of a folder.
        asked: the branch or tag that was asked for, or None.
        revision: the commit on the hub, or a hash over a folder's files.
    """

    name: str
    asked: str | None
    revision: str

    @property
    def key(self) -> str:
        """The name of its entry."""
        digest = hashlib.sha256("\n".join((str(_FORMAT), self.name, self.revision)).encode()).hexdigest()
        last = "/".join(Path(self.name).parts[-2:])
        return f"{re.sub('[^A-Za-z0-9._-]+', '--', last).strip('-.')}-{digest[:_DIGITS]}"


@dataclass(frozen=True, slots=True)
class Entry:
    """A converted release.

    Attributes:
        folder: of the entry.
        release: what it was made of.
    """

    folder: Path
    release: Release

    @property
    def model(self) -> Path:
        """The model folder."""
        return self.folder / _MODEL

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    @property
    def used(self) -> datetime:
        """When a model was last loaded from it, or when it was made, where that was not noted."""
        noted = self.folder / _USED
        place = noted if noted.exists() else self.folder / _ABOUT
        return datetime.fromtimestamp(place.stat().st_mtime, UTC)

    def touch(self) -> None:
        """Note that it is used now; where the cache can't be written, that is not noted."""
        try:
            (self.folder / _USED).touch()
        except OSError:
            return


def root() -> Path:
    """The folder of all entries; it need not exist."""
    if own := os.environ.get("MGLMM_CACHE"):
        base = Path(own).expanduser()
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "mglmm"
    return base.absolute() / "models"


def find(release: Release) -> Entry | None:
    """The entry of a release, if it has been converted."""
    return _read(root() / release.key)


def entries() -> list[Entry]:
    """All entries, by name."""
    if not root().is_dir():
        return []
    found = [_read(folder) for folder in sorted(root().iterdir()) if not folder.name.startswith(".")]
    return [entry for entry in found if entry is not None]


def named(name: str) -> list[Entry]:
    """The entries that a name stands for, the one used last first.

    Args:
        name: of a release, with `@` and its revision, or what that begins with, or what was asked for; or a path.
    """
    plain, _, revision = name.partition("@")

    def fits(entry: Entry) -> bool:
        release = entry.release
        if release.name in (name, os.path.realpath(name)):
            return True
        return release.name == plain and (revision == release.asked or release.revision.startswith(revision))

    return sorted(filter(fits, entries()), key=lambda entry: entry.used, reverse=True)


def make(release: Release, fill: Callable[[Path], None], waiting: Callable[[], object]) -> Entry:
    """The entry of a release, made if it is not there; of several processes one makes it.

    Args:
        release: what it is made of.
        fill: makes the model folder at the path that it is given; whatever it raises leaves no entry.
        waiting: called before waiting for another process that makes it.

    Raises:
        UsageError: if the cache can't be written.
    """
    folder = root() / release.key
    with _alone(folder, waiting):
        # Another process may have made it meanwhile.
        if (entry := _read(folder)) is not None:
            return entry
        _sweep()
        part = _beside(folder, _PART)
        for left in (part, folder):  # by a process that was killed; an entry that can't be read
            shutil.rmtree(left, ignore_errors=True)
        part.mkdir()
        try:
            fill(part / _MODEL)
            (part / _ABOUT).write_text(json.dumps(asdict(release), indent=2) + "\n", encoding="utf-8")
            (part / _USED).touch()
            part.rename(folder)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        return Entry(folder, release)


def remove(entry: Entry) -> None:
    """Take an entry away; a process that has loaded it keeps its files until it ends."""
    with _alone(entry.folder, lambda: None):
        part = _beside(entry.folder, _PART)
        shutil.rmtree(part, ignore_errors=True)
        entry.folder.rename(part)  # at once, so that nobody finds half of it
        shutil.rmtree(part)


def _read(folder: Path) -> Entry | None:
    """An entry, or None where there is none or one of a form that this version does not know."""
    if not (folder / _ABOUT).is_file():
        return None
    try:
        return Entry(folder, Release(**read_json(folder / _ABOUT)))
    except (TypeError, UsageError):
        return None


@contextmanager
def _alone(folder: Path, waiting: Callable[[], object]) -> Iterator[None]:
    """Hold the lock of an entry."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(_beside(folder, _LOCK))
        try:
            lock.acquire(blocking=False)
        except Timeout:
            waiting()
            lock.acquire()
    except OSError as error:
        raise UsageError(
            f"{folder.parent}: can't be written ({error.strerror}); set MGLMM_CACHE to a folder that can"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _sweep() -> None:
    """Remove what processes that were killed left half made."""
    for part in root().glob(f".*{_PART}"):
        lock = FileLock(part.with_suffix(_LOCK))
        try:
            lock.acquire(blocking=False)
        except Timeout:
            continue
        try:
            shutil.rmtree(part, ignore_errors=True)
        finally:
            lock.release()


def _beside(folder: Path, suffix: str) -> Path:
    return folder.with_name(f".{folder.name}{suffix}")
