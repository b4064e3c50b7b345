"""Where answers go while the photographs change under the run: an overlay is never worth a run."""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.images.sources import Source
from engine.journal import RunInfo, Start
from engine.records import PhotoRecord
from exporters.labels.dataset import Choice
from exporters.labels.filters import Filters
from exporters.labels.labelled import labelled
from exporters.overlay import comment_of, write_overlay
from mglmm_cli import results as results_module
from mglmm_cli.results import FolderResults
from tests.exporters.report import made

START = Start(RunInfo("mglmm 0", "tiny", "0" * 64, {}), ("photos",), "/")


@pytest.fixture
def photos(tmp_path: Path) -> list[Source]:
    (tmp_path / "photos").mkdir()
    for number in range(3):
        Image.new("RGB", (40 + number, 30)).save(tmp_path / "photos" / f"{number}.png")
    return [Source(path, path.name) for path in sorted((tmp_path / "photos").iterdir())]


def _run(out: Path, photos: list[Source], between: Callable[[Source], None] = lambda photo: None) -> FolderResults:
    """Answer what is to be done; `between` happens to each photograph after that."""
    with FolderResults(out, START, overlay=True) as results:
        todo = list(results.todo(photos))
        results.begin()
        for photo in todo:
            between(photo)
            results.add(photo, PhotoRecord(photo.file_name, 40 + int(photo.path.stem), 30))
        results.finish()
        return results


def _replaced(photo: Source) -> None:
    Image.new("RGB", (60, 20)).save(photo.path)


def _broken(photo: Source) -> None:
    photo.path.write_bytes(b"no picture")


def _folder(photo: Source) -> None:
    photo.path.unlink()
    photo.path.mkdir()


@pytest.mark.parametrize(
    ("happens", "said"),
    [
        (_replaced, "it had 41 x 30 pixels, now 60 x 20"),
        (lambda photo: photo.path.unlink(), "no such file"),
        (_broken, "not a JPEG, PNG"),
        (_folder, "a folder, not a photograph"),
    ],
    ids=["another size", "deleted", "unreadable", "a folder"],
)
def test_a_photograph_that_changes_meanwhile_keeps_its_answer_and_has_no_overlay(
    tmp_path: Path,
    photos: list[Source],
    caplog: pytest.LogCaptureFixture,
    happens: Callable[[Source], None],
    said: str,
) -> None:
    out = tmp_path / "out"
    _run(out, photos, lambda photo: happens(photo) if photo.path.stem == "1" else None)
    [note] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert note.startswith("mglmm: no overlay of 1.png: ") and said in note
    assert [image["file_name"] for image in json.loads((out / "segcap.json").read_bytes())["images"]] == [
        photo.file_name for photo in photos
    ]
    assert sorted(path.name for path in (out / "overlays").iterdir()) == ["0.png.jpg", "2.png.jpg"]
    # The next run sees the change: it is to be done again.
    with FolderResults(out, START, overlay=True) as again:
        assert [photo.file_name for photo in again.todo(photos)] == ["1.png"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "not enough memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "not enough memory"),
        (OSError("encoder error -2 when writing image file"), "encoder error"),
        (IndexError("an odd picture"), "an odd picture"),
    ],
    ids=repr,
)
def test_an_overlay_that_fails_is_drawn_by_the_next_run(
    tmp_path: Path,
    photos: list[Source],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    said: str,
) -> None:
    plain = results_module.write_overlay

    def fails(path: Path, *rest: Any, **options: Any) -> None:
        if path.name == "1.png.jpg":
            raise error
        plain(path, *rest, **options)

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(results_module, "write_overlay", fails)
        _run(out, photos)
    [note] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert note.startswith("mglmm: no overlay of 1.png: ") and said in note
    assert not (out / "overlays" / "1.png.jpg").exists()
    assert _run(out, photos).skipped == 3
    assert (out / "overlays" / "1.png.jpg").exists()


def test_a_full_disk_stops_the_run(tmp_path: Path, photos: list[Source], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*rest: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(results_module, "write_overlay", full)
    with pytest.raises(OSError, match="No space left"):
        _run(tmp_path / "out", photos)


def _drawn(out: Path, photos: list[Source], filters: Filters) -> np.ndarray:
    """The overlay after a run over one photograph that has a scene."""
    record = made.scene(photos[0].file_name)
    with FolderResults(out, START, overlay=True, choice=Choice(filters)) as results:
        todo = list(results.todo(photos[:1]))
        results.begin()
        for photo in todo:
            results.add(photo, record)
        results.finish()
    return np.asarray(Image.open(out / "overlays" / "0.png.jpg").convert("RGB"))


def test_overlays_draw_the_labels_that_segcap_json_has(tmp_path: Path, photos: list[Source]) -> None:
    Image.new("RGB", (made.WIDTH, made.HEIGHT)).save(photos[0].path)
    out = tmp_path / "out"
    labels = _drawn(out, photos, Filters())
    expected = tmp_path / "expected.jpg"
    for filters in (Filters(), Filters(min_area=200)):
        record = labelled(made.scene(photos[0].file_name), filters)
        write_overlay(expected, np.zeros((made.HEIGHT, made.WIDTH, 3), np.uint8), record)
        assert np.array_equal(
            _drawn(tmp_path / str(filters.min_area), photos, filters), np.asarray(Image.open(expected))
        )
    # The hat is too small; nothing is answered again, but the picture is another.
    assert not np.array_equal(_drawn(out, photos, Filters(min_area=200)), labels)
    assert np.array_equal(_drawn(out, photos, Filters()), labels)


def test_an_overlay_with_these_labels_is_not_drawn_again(tmp_path: Path, photos: list[Source]) -> None:
    out = tmp_path / "out"
    _run(out, photos)
    paths = sorted((out / "overlays").iterdir())
    before = [path.stat().st_mtime_ns for path in paths]
    _run(out, photos)
    assert [path.stat().st_mtime_ns for path in paths] == before
    # One of an older version, which drew masks that are no labels, does not say what it shows.
    Image.open(paths[0]).convert("RGB").save(paths[0])
    _run(out, photos)
    assert comment_of(paths[0]) == comment_of(paths[1]) != ""
