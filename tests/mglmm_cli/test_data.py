"""`mglmm data` as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from mglmm_cli.main import main
from tests.trainer.data.formats.made import HEIGHT, WIDTH, photograph, polygon, write
from tests.trainer.data.recording import mask, photographs, referring, store
from trainer.data.formats import NAMES
from trainer.data.shards import Shards


def run(*args: object) -> int:
    """`mglmm data ARGS...`; its exit code."""
    with pytest.raises(SystemExit) as exit:
        main(["data", *map(str, args)])
    assert isinstance(exit.value.code, int)
    return exit.value.code


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A COCO file with two objects, one photograph and one that is lost."""
    root = tmp_path / "source"
    write(
        root / "instances.json",
        {
            "images": [{"id": n, "file_name": f"{n}.jpg", "height": HEIGHT, "width": WIDTH} for n in (1, 2)],
            "categories": [{"id": 18, "name": "dog"}],
            "annotations": [
                {"id": n, "image_id": n, "category_id": 18, "iscrowd": 0, "segmentation": [polygon(1, 2, 9, 8)]}
                for n in (1, 2)
            ],
        },
    )
    photograph(root / "images" / "1.jpg")
    return root


def test_convert_counts_records_and_names_what_is_skipped(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("convert", "coco-instances", source, tmp_path / "out") == 0
    said = capsys.readouterr()
    rows = [line.split() for line in said.out.splitlines()]
    shards = Shards.open(tmp_path / "out")
    for task in shards.tasks:
        assert [str(task), str(len(shards.of_task(task)))] in rows
    assert ["records", str(len(shards))] in rows and ["photographs", "1"] in rows
    assert "its photograph is missing or broken" in said.out and "instances.json: image 2" in said.out
    assert said.err == f"wrote {tmp_path / 'out'}\n"
    assert (shards.images / shards[0].image).is_file()


def test_the_wordings_are_those_of_the_template(source: Path, tmp_path: Path) -> None:
    assert run("convert", "coco-instances", source, tmp_path / "out", "--template", "lisa") == 0
    shards = Shards.open(tmp_path / "out")
    assert shards.info.template == "lisa"
    assert any(shards[n].turns[0].question.startswith("Can you segment") for n in range(len(shards)))


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (("convert", "coco", "source", "out"), "no data format 'coco'; known: mgsc, "),
        (("convert", "coco-instances", "nowhere", "out"), "nowhere"),
        (("convert", "coco-instances", "source", "source"), "exists and is not an empty folder"),
        (("convert", "flickr30k", "source", "out"), "no dataset_flickr30k.json or results_20130124.token in it"),
        (
            ("convert", "coco-instances", "lost", "out"),
            "no record can be used: its photograph is missing or broken: 2, as",
        ),
        (("show", "source"), "no training records there"),
        (("show", "set", "2"), "has records 0 to 1, no 2"),
        (("show", "set", "0", "--draw", "a.gif"), "a.gif is no .png or .jpg"),
        (("show", "set", "1", "--draw", "out.png"), "b.png: no such file"),
    ],
)
def test_wrong_use_gets_one_line(
    source: Path, tmp_path: Path, args: tuple[str, ...], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    photographs(tmp_path, ["a.png"])
    store(tmp_path / "set", [referring("a.png"), referring("b.png")])
    write(tmp_path / "lost" / "instances.json", json.loads((source / "instances.json").read_text()))
    before = sorted(path.name for path in tmp_path.iterdir())
    places = {"source", "out", "set", "lost", "out.png"}
    assert run(*(tmp_path / arg if arg in places else arg for arg in args)) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and hint in err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_show_prints_and_draws_a_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photographs(tmp_path, ["a.png"])
    store(tmp_path / "set", [referring("a.png"), referring("a.png", "two cups", mask(0, 3), None)])
    assert run("show", tmp_path / "set", "1", "--draw", tmp_path / "drawn" / "one.png") == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[:4] == [
        "record 1 of 2: referring, from made: two cups",
        "photograph: a.png (30 x 20)",
        "question:   Segment two cups.",
        "answer:     <p> two cups </p> [SEG] [SEG]",
    ]
    rows = [line.split() for line in lines]
    assert ["two", "cups", "0", "60", "10.0", "%"] in rows and ["two", "cups", "1", "not", "known"] in rows
    with Image.open(tmp_path / "drawn" / "one.png") as drawn:
        # The grey photograph has a coloured left side.
        left, right = (drawn.convert("RGB").getpixel((drawn.width * x // 20, drawn.width // 4)) for x in (1, 15))
    assert len(set(left)) > 1 and len(set(right)) == 1  # type: ignore[arg-type]


def test_formats_lists_every_adapter(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("formats") == 0
    out = capsys.readouterr().out
    for name in NAMES:
        assert name in out


def test_the_real_photographs_become_records(
    data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("convert", "coco-captions", data_root / "coco" / "val", tmp_path / "out") == 0
    shards = Shards.open(tmp_path / "out")
    assert len(shards) == 530 and shards.info.photographs == 106
    assert run("show", tmp_path / "out", "7", "--draw", tmp_path / "seven.jpg") == 0
    assert (tmp_path / "seven.jpg").is_file()
