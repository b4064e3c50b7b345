"""`mglmm data` as a person runs it."""

from __future__ import annotations

import json
import os
import re
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
    assert "its photograph is not there" in said.out and "instances.json: image 2 (images/2.jpg)" in said.out
    assert said.err == f"wrote {tmp_path / 'out'}; skipped 1 entry: its photograph is not there (1)\n"
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


@pytest.mark.parametrize(
    ("name", "looked_for"),
    [
        ("gone.jpg", "images/gone.jpg"),
        ("../../1.jpg", "images/../../1.jpg"),
        ("https://a.org/1.jpg", "https://a.org/1.jpg"),
    ],
)
def test_nothing_that_can_be_used_is_a_failure_that_names_what_was_looked_for(
    source: Path, tmp_path: Path, name: str, looked_for: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads((source / "instances.json").read_text())
    write(source / "instances.json", content | {"images": [content["images"][0] | {"file_name": name}]})
    assert run("convert", "coco-instances", source, tmp_path / "out") == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and f"as instances.json: image 1 ({looked_for})" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b'{"images": [', "not JSON: .* line 1 column 13"),
        (b'{"images": "caf\xe9"}', "is not utf-8: save it as UTF-8"),
        (b"\x1f\x8b\x08", "packed with gzip: unpack it first"),
        (b"[" * 100_000, "nested too deep"),
        (b"[]", "an object with images and annotations was expected"),
        (b'{"images": [], "images": [1]}', "the key 'images' stands twice"),
    ],
)
def test_what_is_no_json_is_one_line(
    source: Path, tmp_path: Path, content: bytes, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (source / "instances.json").write_bytes(content)
    assert run("convert", "coco-instances", source, tmp_path / "out") == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and re.search(rf"instances\.json: .*{reason}", err)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_json_of_windows_is_read(source: Path, tmp_path: Path, encoding: str) -> None:
    text = (source / "instances.json").read_text()
    (source / "instances.json").write_bytes(text.encode(encoding))
    assert run("convert", "coco-instances", source, tmp_path / "out") == 0


def test_photographs_that_may_lie_otherwise_are_one_warning(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    for n in (1, 2):
        Image.new("RGB", (WIDTH, HEIGHT)).save(source / f"images/{n}.jpg", exif=exif)
    assert run("convert", "coco-instances", source, tmp_path / "out") == 0
    warning, last = capsys.readouterr().err.splitlines()
    assert warning.startswith("mglmm: warning: a photograph with an EXIF orientation: ")
    assert warning.endswith(": 2, as images/1.jpg")
    assert last == f"wrote {tmp_path / 'out'}"
    ((remark, count, where),) = [(r.reason, r.count, r.examples) for r in Shards.open(tmp_path / "out").info.remarks]
    assert "EXIF orientation" in remark and (count, where) == (2, ("images/1.jpg", "images/2.jpg"))


def test_names_that_are_no_text_lead_back_to_their_files(source: Path, tmp_path: Path) -> None:
    """Half a character is no JSON to strict readers."""
    root = tmp_path / os.fsdecode(b"s\xe9t")
    source.rename(root)
    (root / "images/1.jpg").rename(root / "images" / os.fsdecode(b"caf\xe9.jpg"))
    content = json.loads((root / "instances.json").read_text())
    content["images"][0]["file_name"] = "caf%E9.jpg"
    content["images"][1]["file_name"] = "half \ud83c.jpg"
    write(root / "instances.json", content)
    assert run("convert", "coco-instances", root, tmp_path / "out") == 0
    lines = (tmp_path / "out/part-00000.jsonl").read_text().splitlines()
    for text in (*lines, (tmp_path / "out/uscdf.json").read_text()):
        json.dumps(json.loads(text), ensure_ascii=False).encode()
    shards = Shards.open(tmp_path / "out")
    assert shards[0].image == "images/" + os.fsdecode(b"caf\xe9.jpg")
    assert (shards.images / shards[0].image).is_file()
    assert run("show", tmp_path / "out", "0", "--draw", tmp_path / "drawn.png") == 0


def test_many_reasons_are_folded(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    references = [{"ref_id": n, "ann_id": 1, "image_id": 1, "split": f"part {n}", "sentences": []} for n in range(30)]
    references.append(references[0] | {"split": "train", "sentences": [{"sent": "the dog"}]})
    (source / "grefcoco").mkdir()
    (source / "instances.json").rename(source / "grefcoco/instances.json")
    (source / "images/1.jpg").rename(tmp_path / "1.jpg")
    (source / "images/train2014").mkdir()
    (tmp_path / "1.jpg").rename(source / "images/train2014/1.jpg")
    write(source / "grefcoco/grefs(unc).json", references)
    assert run("convert", "grefcoco", source, tmp_path / "out") == 0
    said = capsys.readouterr()
    assert said.out.count("of the split part") == 20 and "10 other reasons" in said.out
    told = "of the split part 0 (1); of the split part 1 (1); of the split part 2 (1); 27 other reasons (27)"
    assert said.err.endswith(f"; skipped 30 entries: {told}\n")


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
