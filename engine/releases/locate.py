"""From what `--model` names to a model folder: an official release is fetched, checked and converted, once."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from engine.errors import MglmmError, UsageError
from engine.memory import size_text
from engine.model import hub
from engine.model.limits import read_table
from engine.model.manifest import MANIFEST
from engine.model.sources import fetch_folder, is_embedded
from engine.releases import cache
from engine.releases.cache import Entry, Release

_CONFIG = "config.json"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Advance = Callable[[int, int], None]
"""Called with how many more bytes are written, and how many there are in all."""


@dataclass(frozen=True, slots=True)
class Watch:
    """How a conversion is watched.

    Attributes:
        note: told in a line what is about to be done.
        progress: shows how far the writing is, while it is open.
        finish: completes a model folder before it takes its place, as with exported parts.
    """

    note: Callable[[str], object]
    progress: Callable[[], AbstractContextManager[Advance]]
    finish: Callable[[Path], object]


def locate(model: str, watch: Watch) -> str:
    """What `engine.model.sources.find` takes for `model`: the folder of a converted release, or `model` as it is.

    Args:
        model: what it takes, or an official release of MGLMM, GLaMM, LISA or Sa2VA: a hub name or a folder.
        watch: what is done is shown there.

    Raises:
        UsageError: if it is a release that can't be had, is not whole, or of an unknown family.
        MglmmError: if the disk is full or a file is damaged.
    """
    if is_embedded(model) or not model:
        return model
    if os.path.isdir(model):
        return _of_folder(Path(model), watch) if _is_release(Path(model)) else model
    return _of_hub(model, watch) if hub.is_name(model) else model


def _of_folder(folder: Path, watch: Watch) -> str:
    release = Release(os.path.realpath(folder), None, _fingerprint(folder))
    entry = cache.find(release) or _convert(release, folder, folder.resolve().name, watch)
    return _use(entry)


def _of_hub(name: str, watch: Watch) -> str:
    try:
        revision = hub.resolve(name)
    except UsageError as error:
        # The hub's own cache may have been emptied, or the repository taken away, after it was converted.
        # Without a revision, only what was converted without one.
        converted = [one for one in cache.named(name) if "@" in name or one.release.asked is None]
        if converted:
            watch.note(f"{error}; the converted {converted[0].release.name} of this machine is used")
            return _use(converted[0])
        raise UsageError(f"no folder {name!r}; as a hub name: {error}") from error
    release = Release(revision.repository, revision.asked, revision.commit)
    if (entry := cache.find(release)) is not None:
        return _use(entry)
    folder = hub.fetch(str(revision), patterns=[_CONFIG, MANIFEST])
    if not _is_release(folder):
        return str(fetch_folder(str(revision)))
    return _use(_convert(release, None, revision.repository.rpartition("/")[2], watch))


def _use(entry: Entry) -> str:
    entry.touch()
    return str(entry.model)


def _is_release(folder: Path) -> bool:
    """Whether a folder is in the layout of a release; our own config.json names no architecture."""
    return (
        not (folder / MANIFEST).exists()
        and (folder / _CONFIG).is_file()
        and "architectures" in read_table(folder / _CONFIG)
    )


def _convert(release: Release, folder: Path | None, name: str, watch: Watch) -> Entry:
    """Make the entry of a release; `folder` is None where it is on the hub."""
    # Not before they are needed: a model that is ready needs none of it.
    from engine.convert.convert import convert
    from engine.convert.download import fetch, require_space
    from engine.convert.known import require_known
    from engine.convert.sources import weight_files

    def fill(model: Path) -> None:
        source = folder
        if source is None:
            examine = lambda small: require_known(release.name, small)  # noqa: E731
            source = fetch(f"{release.name}@{release.revision}", note=watch.note, examine=examine)
        else:
            require_known(release.name, source)
        size = sum(path.stat().st_size for path in weight_files(source))
        watch.note(f"{release.name}: converted once, about {size_text(size)} into {cache.root()}")
        require_space(release.name, cache.root(), size, "set MGLMM_CACHE to another disk")
        with watch.progress() as advance:
            report = convert(str(source), model, name=name, advance=advance, note=watch.note)
        for line in report.notes:
            watch.note(f"{release.name}: {line}")
        watch.finish(model)

    try:
        return cache.make(release, fill, lambda: watch.note(f"{release.name}: another process converts it; waiting"))
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise MglmmError(
            f"{release.name}: the disk of {cache.root()} is full: free some of it, or set MGLMM_CACHE to another disk, "
            "and start again; what was downloaded is kept"
        ) from error


def _fingerprint(folder: Path) -> str:
    """A hash over what a conversion reads of a folder: small files by their content, weights by size and time.

    To hash the weights would take minutes at each start. Whoever writes others without a change of either has to
    remove the entry.
    """
    from engine.convert.download import SMALL
    from engine.convert.sources import weight_files
    from engine.convert.tower import look_up

    digest = hashlib.sha256()
    beside = look_up(folder, read_table(folder / _CONFIG))
    for place in (folder, *([beside] if beside else [])):
        for path in sorted({path for pattern in SMALL for path in place.glob(pattern)}):
            digest.update(f"{path.name}\n{path.stat().st_size}\n".encode() + path.read_bytes())
        for path in weight_files(place):
            status = path.stat()
            digest.update(f"{path.name}\n{status.st_size}\n{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
