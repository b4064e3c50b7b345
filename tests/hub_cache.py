"""A cache of the Hugging Face Hub as its client lays it out, made by hand."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def lay(cache: Path, name: str, folder: Path, *, commit: str = COMMIT, refs: tuple[str, ...] = ("main",)) -> Path:
    """Put the files of a folder into the cache as a revision of a repository.

    Args:
        cache: of the hub.
        name: `org/name`.
        folder: its files.
        commit: of the revision.
        refs: branches and tags that lead to it.

    Returns:
        the snapshot.
    """
    repository = cache / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / commit
    for place in (repository / "blobs", repository / "refs", snapshot):
        place.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        # Large files go by the SHA-256 of their content, small ones by that of git.
        large = path.suffix in (".safetensors", ".bin")
        blob = hashlib.sha256(content) if large else hashlib.sha1(b"blob %d\0" % len(content) + content)
        (repository / "blobs" / blob.hexdigest()).write_bytes(content)
        (snapshot / path.name).symlink_to(os.path.join("..", "..", "blobs", blob.hexdigest()))
    for ref in refs:
        (repository / "refs" / ref).write_text(commit, encoding="utf-8")
    return snapshot
