"""Models on the Hugging Face Hub, by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from engine.errors import UsageError

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?")


def is_name(text: str) -> bool:
    """Whether `text` looks like `org/name` or `org/name@revision`."""
    return _NAME.fullmatch(text) is not None


def fetch(name: str, revision: str | None = None, patterns: Sequence[str] | None = None) -> Path:
    """The local folder of a repository's files; what the cache lacks is downloaded.

    Args:
        name: `org/name` or `org/name@revision`.
        revision: branch, tag or commit; that of `name` where it has one.
        patterns: names of the wanted files (`*.json`); without it all of them.

    Returns:
        the snapshot's folder in the cache.

    Raises:
        UsageError: if there is no such repository, or it is not in the cache and can't be reached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if not is_name(name):
        raise UsageError(f"{name}: not a name on the Hugging Face Hub; those look like org/name or org/name@revision")
    repository, _, named = name.partition("@")
    revision = named or revision
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=_listed(patterns)))
    except HFValidationError as error:
        raise UsageError(f"{name}: not a name on the Hugging Face Hub") from error
    except GatedRepoError as error:
        raise UsageError(f"{name}: the Hugging Face Hub asks for a login; log in with 'hf auth login'") from error
    except RepositoryNotFoundError as error:
        raise UsageError(f"{name}: not found on the Hugging Face Hub (or it is private: 'hf auth login')") from error
    except RevisionNotFoundError as error:
        raise UsageError(f"{name}: the repository has no revision {revision!r}") from error
    except LocalEntryNotFoundError as error:
        raise UsageError(
            f"{name}: not in the local cache, and the Hugging Face Hub can't be reached (offline, or HF_HUB_OFFLINE is "
            "set); download it first, or give a folder"
        ) from error
    except (HfHubHTTPError, ConnectionError) as error:
        raise UsageError(f"{name}: the Hugging Face Hub can't be reached: {' '.join(str(error).split())}") from error


def _listed(patterns: Sequence[str] | None) -> list[str] | None:
    return None if patterns is None else list(patterns)
