"""Names on the hub, without a network: what is in the cache is found, the rest gets one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.model.hub import fetch, is_name

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize("text", ["org/name", "org/name-1.5", "org/name@main", "Org.1/na_me@refs/pr/3"])
def test_names(text: str) -> None:
    assert is_name(text)


@pytest.mark.parametrize("text", ["name", "a/b/c", "/org/name", "./name", "../name", "org/", "a b/c", "org/name@", ""])
def test_what_is_no_name(text: str) -> None:
    assert not is_name(text)
    with pytest.raises(UsageError, match="not a name on the Hugging Face Hub"):
        fetch(text)


def test_the_hub_s_own_rules_for_names_get_one_line() -> None:
    with pytest.raises(UsageError, match=r"org/na\.\.me: not a name on the Hugging Face Hub"):
        fetch("org/na..me")


def test_offline_and_not_in_the_cache() -> None:
    with pytest.raises(
        UsageError, match=r"org/name@v1: not in the local cache, and the Hugging Face Hub can't be reached"
    ):
        fetch("org/name@v1")


@pytest.mark.parametrize(
    ("name", "revision"), [("org/name@v1", None), ("org/name", "v1"), (f"org/name@{COMMIT}", None)]
)
def test_what_is_in_the_cache_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, revision: str | None
) -> None:
    repository = tmp_path / "models--org--name"
    (repository / "snapshots" / COMMIT).mkdir(parents=True)
    (repository / "snapshots" / COMMIT / "config.json").write_text("{}")
    (repository / "refs").mkdir()
    (repository / "refs" / "v1").write_text(COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    folder = fetch(name, revision, patterns=["*.json"])
    assert [path.name for path in folder.iterdir()] == ["config.json"]
