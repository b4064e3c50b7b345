"""Which photographs `mglmm segcap` takes, and what it says of the others; with a model that answers nothing."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from engine.images.sources import Source
from engine.pipeline.finishing import Outcome
from engine.records import PhotoRecord
from engine.text.names import from_text
from mglmm_cli import segcap as command
from mglmm_cli.codes import Exit

EXAMPLES = Path(__file__).parents[2] / "examples"


@contextmanager
def _nothing(job: object, *, in_order: bool) -> Iterator[object]:
    def run(sources: Iterator[Source]) -> Iterator[Outcome]:
        for source in sources:
            with Image.open(source.path) as image:
                yield source, PhotoRecord(source.file_name, image.width, image.height)

    yield run


class _Stdin:
    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "_open", _nothing)
    (tmp_path / "photos/sub").mkdir(parents=True)
    shutil.copy(EXAMPLES / "coffee.jpg", tmp_path / "photos/a.jpg")
    shutil.copy(EXAMPLES / "rocket.jpg", tmp_path / "photos/sub/b.JPG")
    return tmp_path


def _run(*args: str) -> None:
    assert command.segcap.main(args, standalone_mode=False) == Exit.DONE


def _images(out: str) -> list[str]:
    return [image["file_name"] for image in json.loads(Path(out, "segcap.json").read_bytes())["images"]]


@pytest.mark.parametrize("given", ["photos", "photos/**", "photos/**/*.[jJ]*", "-"])
def test_overlays_in_the_output_folder_are_no_inputs(
    given: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = "photos/out"
    before = "photos/" if given == "-" else ""
    for done in ("2 photographs done", "nothing to do", "nothing to do"):
        listed = "\n".join(str(path) for path in sorted(Path("photos").rglob("*.[jJ][pP][gG]")))
        monkeypatch.setattr(sys, "stdin", _Stdin(listed.encode()))
        _run(given, "-o", out, "--overlay")
        assert done in capsys.readouterr().err
        assert _images(out) == [f"{before}a.jpg", f"{before}sub/b.JPG"]
        assert len(list(Path(out, "overlays").rglob("*.jpg"))) == 2


def test_a_file_in_the_output_folder_is_refused_by_name() -> None:
    _run("photos", "-o", "out", "--overlay")
    with pytest.raises(command.UsageError, match=r"out/overlays/a\.jpg\.jpg: lies in the output folder"):
        _run("out/overlays/a.jpg.jpg", "-o", "out")


def test_what_is_left_out_is_said_in_the_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    Path("photos/c.psd").write_bytes(b"8BPS" + bytes(40))
    Path("photos/sub/film.MP4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(40))
    shutil.copy(EXAMPLES / "coffee.jpg", "photos/IMG_2.HEIC")
    _run("photos", "-o", "out")
    assert _images("out") == ["IMG_2.HEIC", "a.jpg", "sub/b.JPG"]
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith("2 files left out: 1 psd, 1 mp4; wrote out/segcap.json")
    _run("photos", "-o", "out")
    last = capsys.readouterr().err.splitlines()[-1]
    assert "nothing to do" in last and last.endswith("2 files left out: 1 psd, 1 mp4; wrote out/segcap.json")


def test_every_name_leads_back_to_its_file(here: Path) -> None:
    content = (EXAMPLES / "coffee.jpg").read_bytes()
    names = {
        b"caf\xe9.jpg",
        "caf\u00e9.jpg".encode(),
        "cafe\u0301.jpg".encode(),
        rb"caf\xE9.jpg",
        b"new\nline.jpg",
        b"n" * 246 + b".jpg",
    }
    os.mkdir(b"names\xff")
    for name in names:
        with open(b"names\xff/" + name, "wb") as file:
            file.write(content)
    _run(os.fsdecode(b"names\xff"), "-o", "out", "--overlay")
    found = _images("out")
    assert {os.fsencode(from_text(name)) for name in found} == names
    for path in Path("out").rglob("*"):
        str(path).encode("utf-8")
        if path.suffix in (".json", ".jsonl"):
            assert b"\\ud" not in path.read_bytes()
    assert len(list(Path("out/overlays").iterdir())) == len(names)
