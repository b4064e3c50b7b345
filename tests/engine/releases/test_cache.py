"""Where converted releases lie, and what counts as one."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.releases import cache
from engine.releases.cache import Release


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({}, "{home}/.cache/mglmm/models"),
        ({"XDG_CACHE_HOME": "/var/somewhere"}, "/var/somewhere/mglmm/models"),
        ({"XDG_CACHE_HOME": "/var/somewhere", "MGLMM_CACHE": "/large"}, "/large/models"),
        ({"MGLMM_CACHE": "~/large"}, "{home}/large/models"),
    ],
)
def test_places(environment: dict[str, str], place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("XDG_CACHE_HOME", "MGLMM_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"HOME": str(tmp_path)} | environment).items():
        monkeypatch.setenv(name, value)
    assert str(cache.root()) == place.format(home=tmp_path)


def test_keys_differ_and_can_be_read() -> None:
    names = ("org/Big-1.5B", "other/Big-1.5B", "/data/org/Big-1.5B")
    keys = [Release(name, None, revision).key for name in names for revision in ("0" * 40, "1" * 40)]
    assert len(set(keys)) == len(keys)
    assert keys[0].startswith("org--Big-1.5B-") and keys[4].startswith("org--Big-1.5B-")
    # What was asked for does not make another model.
    assert Release(names[0], "main", "0" * 40).key == keys[0]


def test_what_is_no_entry_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MGLMM_CACHE", str(tmp_path))
    assert cache.entries() == []
    for name, content in (("empty", None), ("damaged", "{"), ("newer", '{"name": "a/b", "surprise": 1}')):
        (tmp_path / "models" / name).mkdir(parents=True)
        if content:
            (tmp_path / "models" / name / "release.json").write_text(content)
    (tmp_path / "models" / "note.txt").touch()
    assert cache.entries() == [] and cache.named("a/b") == []
    assert len(list((tmp_path / "models").iterdir())) == 4


def test_a_failure_leaves_no_entry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MGLMM_CACHE", str(tmp_path))
    release = Release("org/big", None, "0" * 40)

    def half(folder: Path) -> None:
        folder.mkdir()
        (folder / "config.json").touch()
        raise KeyboardInterrupt

    def whole(folder: Path) -> None:
        folder.mkdir()
        (folder / "config.json").write_text("{}")

    with pytest.raises(KeyboardInterrupt):
        cache.make(release, half, lambda: None)
    assert cache.find(release) is None and cache.entries() == []
    made = cache.make(release, whole, lambda: None)
    assert cache.find(release) == made and cache.named("org/big") == [made]
    assert cache.named("org/big@0000") == [made] and not cache.named("org/big@1") and not cache.named("org/bi")
    # Nobody makes what is there.
    assert cache.make(release, half, lambda: None) == made
    cache.remove(made)
    assert cache.entries() == [] and not made.folder.exists()


def test_an_entry_whose_use_was_not_noted_is_listed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MGLMM_CACHE", str(tmp_path))
    entry = cache.make(Release("a/b", None, "0" * 40), lambda folder: folder.mkdir(parents=True), lambda: None)
    (entry.folder / "used").unlink(missing_ok=True)
    assert cache.named("a/b") == [entry]
    assert entry.used.timestamp() == pytest.approx((entry.folder / "release.json").stat().st_mtime)
