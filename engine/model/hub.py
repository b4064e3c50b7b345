"""Models on the Hugging Face Hub, by name."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engine.errors import MglmmError, UsageError

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?")
_SHA256 = re.compile("[0-9a-f]{64}")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class Revision:
    """A state of a repository that can't change.

    Attributes:
        repository: `org/name`.
        asked: branch, tag or commit that it was asked by; None for the default branch.
        commit: 40 hexadecimal digits.
    """

    repository: str
    asked: str | None
    commit: str

    def __str__(self) -> str:
        return f"{self.repository}@{self.commit}"


@dataclass(frozen=True, slots=True)
class File:
    """One file of a repository.

    Attributes:
        name: its path in the repository.
        size: in bytes.
        here: whether it is in the local cache.
    """

    name: str
    size: int
    here: bool


def is_name(text: str) -> bool:
    """Whether `text` looks like `org/name` or `org/name@revision`."""
    return _NAME.fullmatch(text) is not None


def split(name: str) -> tuple[str, str | None]:
    """Repository and revision (None where there is none) of `org/name@revision`.

    Raises:
        UsageError: if it is no such name.
    """
    if not is_name(name):
        raise UsageError(f"{name}: not a name on the Hugging Face Hub; those look like org/name or org/name@revision")
    repository, _, revision = name.partition("@")
    return repository, revision or None


def resolve(name: str) -> Revision:
    """The commit that a name stands for now; without a network, that which it stood for last.

    Args:
        name: `org/name` or `org/name@revision`.

    Raises:
        UsageError: if there is no such repository, or it is not in the cache and can't be reached.
    """
    from huggingface_hub import HfApi, constants

    repository, asked = split(name)
    # Without a word about the network where the user has asked for none.
    here = bool(constants.HF_HUB_OFFLINE)
    with _explained(name, asked):
        found = HfApi().resolve_revision(repository, revision=asked, local_files_only=here)
        return Revision(repository, asked, str(found.resolved))


def files(revision: Revision) -> list[File]:
    """The files of a revision of which some have been fetched; where nobody noted its list, those in the cache."""
    from huggingface_hub import get_cached_repo_tree, snapshot_download, try_to_load_from_cache
    from huggingface_hub.errors import CachedRepoTreeNotFoundError

    repository, commit = revision.repository, revision.commit
    try:
        listed = get_cached_repo_tree(repository, revision=commit)
    except CachedRepoTreeNotFoundError:
        with _explained(repository, commit):
            folder = Path(snapshot_download(repository, revision=commit, local_files_only=True))
        found = [path for path in folder.rglob("*") if path.is_file()]
        return [File(path.relative_to(folder).as_posix(), path.stat().st_size, here=True) for path in found]
    return [
        File(
            one.path,
            one.size,
            isinstance(try_to_load_from_cache(repository, one.path, revision=commit), str),
        )
        for one in listed
    ]


def cache() -> Path:
    """Where the hub's files are kept on this machine."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def fetch(name: str, revision: str | None = None, patterns: Sequence[str] | None = None) -> Path:
    """The local folder of a repository's files; what the cache lacks is downloaded.

    Files that are whole are kept when it is cut off; see `fetch_large` for those whose half is worth keeping.

    Args:
        name: `org/name` or `org/name@revision`.
        revision: branch, tag or commit; that of `name` where it has one.
        patterns: names of the wanted files (`*.json`); without it all of them.

    Returns:
        the snapshot's folder in the cache.

    Raises:
        UsageError: if there is no such repository, or it is not in the cache and can't be reached.
        MglmmError: if the disk is full.
    """
    from huggingface_hub import snapshot_download

    repository, named = split(name)
    revision = named or revision
    wanted = None if patterns is None else list(patterns)
    with _explained(name, revision):
        return Path(snapshot_download(repository, revision=revision, allow_patterns=wanted, tqdm_class=_bar()))


def fetch_large(revision: Revision, name: str) -> None:
    """Download one large file into the hub's cache, from where it was cut off, be it days ago.

    The client keeps no halves of files from one start to the next, and a file may have 15 GB. This puts it where the
    client looks for it, and holds the lock that the client holds. Files that are small are left to the client.

    Args:
        revision: of the repository.
        name: of the file.

    Raises:
        UsageError: if the hub can't be reached.
        MglmmError: if the disk is full.
    """
    from filelock import FileLock
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.file_download import http_get, repo_folder_name
    from huggingface_hub.utils import build_hf_headers

    with _explained(revision.repository, revision.asked):
        url = hf_hub_url(revision.repository, name, revision=revision.commit)
        about, headers = get_hf_file_metadata(url), build_hf_headers()
        if about.size is None or not _SHA256.fullmatch(about.etag or ""):
            return
        folder = repo_folder_name(repo_id=revision.repository, repo_type="model")
        blob = cache() / folder / "blobs" / str(about.etag)
        lock = cache() / ".locks" / folder / f"{about.etag}.lock"
        for path in (blob, lock):
            path.parent.mkdir(parents=True, exist_ok=True)
        if urlsplit(about.location).netloc != urlsplit(url).netloc:
            headers.pop("authorization", None)  # not for others to see
        with FileLock(lock):
            if blob.exists():
                return
            part = blob.with_name(f"{blob.name}.part")
            with part.open("ab") as half:
                if half.tell() > about.size:
                    half.truncate(0)
                http_get(
                    about.location,
                    half,
                    resume_size=half.tell(),
                    headers=headers,
                    expected_size=about.size,
                    displayed_filename=name,
                    tqdm_class=_bar(),
                )
            part.replace(blob)


def _bar() -> type[Any]:
    """The hub's progress bar, on terminals only."""
    from huggingface_hub.utils import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **({"disable": None} | options))

    return Bar


@contextmanager
def _explained(name: str, revision: str | None) -> Iterator[None]:
    """What goes wrong with the hub, in one line."""
    from huggingface_hub.errors import (
        DisabledRepoError,
        GatedRepoError,
        HFValidationError,
        HTTPError,
        IncompleteSnapshotError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
        RevisionResolutionError,
    )

    try:
        yield
    except HFValidationError as error:
        raise UsageError(f"{name}: not a name on the Hugging Face Hub") from error
    except GatedRepoError as error:
        raise UsageError(
            f"{name}: its owner grants access on request: ask for it on its page of the Hugging Face Hub, then log in "
            "with 'hf auth login'"
        ) from error
    except RepositoryNotFoundError as error:
        raise UsageError(f"{name}: not found on the Hugging Face Hub (or it is private: 'hf auth login')") from error
    except RevisionNotFoundError as error:
        raise UsageError(f"{name}: the repository has no revision {revision!r}") from error
    except DisabledRepoError as error:
        raise UsageError(f"{name}: the Hugging Face Hub has shut the repository; give a folder") from error
    except (LocalEntryNotFoundError, RevisionResolutionError) as error:
        state = "not whole" if isinstance(error, IncompleteSnapshotError) else "not"
        raise UsageError(
            f"{name}: {state} in the local cache, and the Hugging Face Hub can't be reached (offline, or "
            "HF_HUB_OFFLINE is set); download it first, or give a folder"
        ) from error
    except (HTTPError, ConnectionError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise UsageError(
            f"{name}: the Hugging Face Hub can't be reached: {reason}; what was downloaded is kept, the next start "
            "goes on with it"
        ) from error
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise MglmmError(
            f"{name}: the disk of {cache()} is full: free some of it, or set HF_HOME to another disk; what was "
            "downloaded is kept, the next start goes on with it"
        ) from error
