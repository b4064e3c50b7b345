"""`mglmm segcap -o -`: a line per photograph, of one form, for as long as somebody reads."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.records import Failure
from mglmm_cli import segcap
from mglmm_cli.main import _run
from mglmm_cli.streams import Nowhere, _Results

COMMAND = ("segcap", "photos", "-o", "-", "--granularity", "panoptic", "--max-new-tokens", "2")


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two photographs and one that is none."""
    monkeypatch.chdir(tmp_path)
    Path("photos/sub").mkdir(parents=True)
    for name in ("a.png", "sub/c.png"):
        Image.new("RGB", (40, 30), (90, 60, 30)).save(Path("photos", name))
    Path("photos/b.png").write_bytes(b"no picture")
    return tmp_path


def test_lines_of_failures_have_the_form_of_the_others(
    photos: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(out))
    assert _run([*COMMAND, "--model", str(tiny_folder)]) == 3
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["file_name"] for line in lines] == ["a.png", "b.png", "sub/c.png"]
    assert [line["path"] for line in lines] == ["photos/a.png", "photos/b.png", "photos/sub/c.png"]
    assert all(Path(line["path"]).is_file() for line in lines)
    assert [[*line] for line in lines] == [[*lines[0]], [*lines[0], "failure"], [*lines[0]]]
    assert lines[1]["failure"] == {"stage": "open", "reason": lines[1]["failure"]["reason"]}
    # What a plain consumer does.
    said = [(line["width"] * line["height"], [segcap["caption"] for segcap in line["segcaps"]]) for line in lines]
    assert said[1] == (0, []) and all(size == 1200 and len(captions) == 1 for size, captions in (said[0], said[2]))


def test_a_closed_stdout_takes_no_lines(photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr("sys.stdout", Nowhere(io.BytesIO()))
    assert _run(COMMAND) == 2
    assert capsys.readouterr().err == "mglmm: -o - writes to stdout, which is closed; see 'mglmm segcap --help'\n"


def test_it_stops_and_closes_the_model_once_nobody_reads(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    happened: list[str] = []

    @contextmanager
    def model(job: object, *, in_order: bool) -> Iterator[object]:
        def run(sources: Any) -> Iterator[Any]:
            for source in sources:
                happened.append(source.file_name)
                yield source, Failure(source.file_name, "open", "x" * 100_000)  # more than a pipe holds

        try:
            yield run
        finally:
            happened.append("closed")

    monkeypatch.setattr(segcap, "_open", model)
    reader, writer = os.pipe()
    os.close(reader)
    file = _Results(writer, "w")
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BufferedWriter(file)))
    assert _run(COMMAND) == 141
    assert happened == ["a.png", "closed"]
    assert "mglmm: " not in capsys.readouterr().err
