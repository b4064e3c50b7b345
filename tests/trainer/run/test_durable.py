"""Whatever moment a program is killed at, a whole file or folder is left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trainer.run.durable import recover, replace_folder


class Killed(BaseException):
    pass


def _writes(content: str) -> object:
    def write(folder: Path) -> None:
        (folder / "one").write_text(content)
        (folder / "two").write_text(content)

    return write


def _content(folder: Path) -> set[str]:
    return {path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize("moment", range(4))
def test_a_folder_is_whole_at_every_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    folder = tmp_path / "model"
    replace_folder(folder, _writes("old"))  # type: ignore[arg-type]
    calls = 0
    real = os.rename

    def rename(source: Path, target: Path) -> None:
        nonlocal calls
        if calls * 2 == moment:
            raise Killed
        real(source, target)
        if calls * 2 + 1 == moment:
            raise Killed
        calls += 1

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(Killed):
        replace_folder(folder, _writes("new"))  # type: ignore[arg-type]
    monkeypatch.setattr(os, "rename", real)
    recover(folder)
    assert _content(folder) in ({"old"}, {"new"})
    replace_folder(folder, _writes("newer"))  # type: ignore[arg-type]
    assert _content(folder) == {"newer"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
