"""A cache of the hub and one of converted releases, both the test's own; no network."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engine.releases.locate import Watch
from tests.engine.convert.making import PARITY, edit_json
from tests.hub_cache import lay

TOWER = "openai/clip-tiny"
PLACES = {
    "sa2va": "sa2va/internvl/ckpt",
    "sa2va over Qwen3-VL": "sa2va/qwen3vl/ckpt",
    "glamm": "glamm/ckpt",
    "lisa": "lisa/ckpt",
    "mglmm": "mglmm/micro/ckpt",
    "mglmm in torch's shards": "mglmm/micro/ckpt_sharded_bin",
}
"""Small releases in the official layouts, below `PARITY`."""


@dataclass
class Seen:
    """What a `Watch` was told.

    Attributes:
        notes: its lines.
        written: bytes.
        finished: how often a model folder was completed.
    """

    notes: list[str] = field(default_factory=list)
    written: int = 0
    finished: int = 0

    @property
    def watch(self) -> Watch:
        """What is watched by this."""

        @contextmanager
        def progress() -> Iterator[Callable[[int, int], None]]:
            def advance(more: int, total: int) -> None:
                self.written += more

            yield advance

        def finish(folder: Path) -> None:
            self.finished += 1

        return Watch(self.notes.append, progress, finish)


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with both caches, `hub` and `mglmm`."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("MGLMM_CACHE", str(tmp_path / "mglmm"))
    return tmp_path


@pytest.fixture
def release(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a folder with one of `PLACES` that the test may change; its tower is one of the hub."""

    def copy(kind: str) -> Path:
        source = PARITY / PLACES[kind]
        if not source.is_dir():
            pytest.skip(f"no release at {source}")
        folder = tmp_path / kind.partition(" ")[0]
        shutil.copytree(source, folder, copy_function=shutil.copy)
        for path in (folder, *folder.iterdir()):
            path.chmod(0o755)
        if not kind.startswith("sa2va"):
            edit_json(folder / "config.json", vision_tower=TOWER, mm_vision_tower=TOWER)
        return folder

    return copy


def tower(kind: str) -> Path:
    """The folder of a release's CLIP."""
    (found,) = (PARITY / PLACES[kind]).parent.glob("clip-*")
    return found


def lay_tower(caches: Path, kind: str) -> None:
    """Put the CLIP of a release into the hub's cache, where it needs one."""
    if not kind.startswith("sa2va"):
        lay(caches / "hub", TOWER, tower(kind))
