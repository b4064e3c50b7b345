"""`mglmm segcap` over lists, with questions of their own, and what is said of what the photographs' files are."""

from __future__ import annotations

import json
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from engine.images.decode import decode
from engine.images.formats import kinds
from tests import program

NAMES = ("a.png", "b.png", "sub/c.png")


@pytest.fixture
def here(tmp_path: Path, tiny_folder: Path) -> Path:
    """A working folder with three photographs below photos/ and a model."""
    for number, name in enumerate(NAMES):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 256, (30, 40 + number, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
    (tmp_path / "model").symlink_to(tiny_folder)
    return tmp_path


def segcap(here: Path, *args: str, code: int = 0, stdin: bytes = b"") -> str:
    """What was said by a run."""
    rest = ["-o", "out", "--model", "model", "--max-new-tokens", "3"]
    done = program.run_bytes("segcap", *args, *rest, cwd=here, stdin=stdin)
    said = done.stderr.decode()
    assert done.returncode == code, said
    return said


def asked(here: Path) -> dict[str, list[str]]:
    """Of each photograph, what was asked about it."""
    whole: dict[str, Any] = json.loads((here / "out" / "segcap.json").read_bytes())
    names = {image["id"]: image["file_name"] for image in whole["images"]}
    found: dict[str, list[str]] = {name: [] for name in names.values()}
    for caption in whole["captions"]:
        found[names[caption["image_id"]]].append(caption["instruction"])
    return found


@pytest.mark.parametrize(
    ("name", "content", "args"),
    [
        ("l.csv", "id,file_name\n1,photos/a.png\n2,photos/sub/c.png\n", []),
        ("l.csv", "id;where\n1;photos/a.png\n2;photos/sub/c.png\n", ["--column", "where"]),
        ("l.tsv", "path\tid\nphotos/a.png\t1\nphotos/sub/c.png\t2\n", []),
        ("l.jsonl", '{"image": "photos/a.png"}\n\n{"image": "photos/sub/c.png", "id": 2}\n', []),
        ("l.txt", "photos/a.png\nphotos/sub/c.png\n", []),
        ("photos/l.csv", "path\na.png\nsub/c.png\n", []),
        ("l.csv", "path\na.png\nsub/c.png\n", ["--root", "photos"]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lists_of_all_kinds(here: Path, name: str, content: str, args: list[str], encoding: str) -> None:
    (here / name).write_bytes(content.encode(encoding))
    segcap(here, "--list", name, *args, "--granularity", "panoptic")
    own = name.startswith("photos/") or "--root" in args
    assert list(asked(here)) == (["a.png", "sub/c.png"] if own else ["photos/a.png", "photos/sub/c.png"])


@pytest.mark.parametrize(
    ("content", "args"),
    [(b"photos/b.png\n", []), (b"where,n\nphotos/b.png,1\n", ["--column", "where"])],
)
def test_a_list_on_stdin(here: Path, content: bytes, args: list[str]) -> None:
    segcap(here, "--list", "-", *args, "--granularity", "panoptic", stdin=content)
    assert list(asked(here)) == ["photos/b.png"]


def test_rows_have_questions_of_their_own(here: Path) -> None:
    rows = ["file_name,instruction,label", "photos/a.png,What is it?,", "photos/b.png,,", "photos/a.png,,the dog"]
    (here / "l.csv").write_text("\n".join(rows))
    segcap(here, "--list", "l.csv", "--granularity", "panoptic")
    before = asked(here)
    first, second = before["photos/a.png"]
    assert first == "What is it?" and "the dog" in second
    assert len(before["photos/b.png"]) == 1 and "dog" not in before["photos/b.png"][0]
    assert "nothing to do" in segcap(here, "--list", "l.csv", "--granularity", "panoptic")
    # Another question is asked, and nothing else is done again.
    (here / "l.csv").write_text("\n".join([*rows[:3], "photos/a.png,,the cat"]))
    assert "1 photograph done (1 before)" in segcap(here, "--list", "l.csv", "--granularity", "panoptic")
    assert "the cat" in asked(here)["photos/a.png"][1]


def test_questions_may_be_repeated(here: Path) -> None:
    segcap(here, "photos/a.png", "--instruction", "What is it?", "--instruction", "Where is it?")
    assert asked(here) == {"a.png": ["What is it?", "Where is it?"]}
    said = segcap(here, "photos/a.png", "--instruction", "What is it?", code=2)
    assert "instruction was ['What is it?', 'Where is it?'], is What is it?" in said


def test_each_category_is_asked_about(here: Path) -> None:
    (here / "mine.txt").write_text("dog\ntraffic light\n")
    segcap(here, "photos/a.png", "--categories", "mine.txt", "--ask-each")
    dog, light = asked(here)["a.png"]
    assert "the dog" in dog and "the traffic light" in light
    said = segcap(here, "photos/a.png", "--ask-each", code=2)
    assert "give it with --categories FILE" in said


def test_lines_that_can_not_be_used_are_named(here: Path) -> None:
    (here / "l.jsonl").write_text(
        '{"path": "photos/a.png"}\n{"path": 7}\nno\n[1]\n{"path": "photos/b.png", "label": 1}\n'
    )
    said = segcap(here, "--list", "l.jsonl", "--granularity", "panoptic", code=3)
    for line in ("line 2 has no path", "line 3 is no JSON", "line 4 is no JSON object", "line 5: label is no text"):
        assert f"mglmm: l.jsonl: {line}" in said
    assert "1 photograph done" in said and "4 entries left out" in said


def test_a_quote_that_is_not_closed_is_named(here: Path) -> None:
    (here / "l.csv").write_text('file_name,label\nphotos/a.png,\nphotos/b.png,"the cup\nphotos/sub/c.png,the dog\n')
    said = segcap(here, "--list", "l.csv", "--granularity", "panoptic", code=3)
    assert "is a quote not closed? What follows is not read" in said and "1 photograph done" in said


def test_usual_columns_are_known_in_any_case_of_letters(here: Path) -> None:
    (here / "l.csv").write_text("File_Name,Label\nphotos/a.png,the dog\nphotos/b.png,  \n")
    segcap(here, "--list", "l.csv", "--granularity", "panoptic")
    assert "the dog" in asked(here)["photos/a.png"][0] and "dog" not in asked(here)["photos/b.png"][0]


def test_a_list_among_the_inputs_is_told_from_a_photograph(here: Path) -> None:
    (here / "l.csv").write_text("path\nphotos/a.png\n")
    assert "l.csv: a list, no photograph: give it with --list" in segcap(here, "l.csv", code=2)


@pytest.mark.parametrize(
    ("name", "content", "args", "line"),
    [
        ("l.csv", "a,b\n1,2\n", [], "l.csv: which column holds the paths? There are a, b: say it with --column"),
        ("l.csv", "a,b\n1,2\n", ["--column", "c"], "l.csv: has no column 'c'; there are a, b"),
        ("l.csv", "path\n", [], "l.csv: names no photograph"),
        ("l.csv", b"path\ncaf\xe9.png\n", [], "l.csv: is not UTF-8"),
        ("l.json", "{}", [], "a COCO JSON is no list: give it as INPUT"),
        ("l.txt", "a\n", ["--column", "c"], "--column is for lists in columns"),
        ("l.csv", "path\n", ["photos"], "--list names the photographs: leave out INPUT"),
    ],
)
def test_what_is_no_list(here: Path, name: str, content: str | bytes, args: list[str], line: str) -> None:
    (here / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    said = segcap(here, "--list", name, *args, code=2)
    assert line in said and "Traceback" not in said


def test_what_the_files_are_is_counted(here: Path) -> None:
    photos = here / "photos"
    picture, other = Image.open(photos / "a.png"), Image.new("RGB", (40, 30))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    picture.save(photos / "turned.jpg", exif=exif)
    for name in ("two.tif", "two.gif", "two.webp", "two.png"):
        picture.save(photos / name, save_all=True, append_images=[other])
        # One picture is nothing to remark on.
        picture.save(photos / f"one.{name[4:]}", save_all=True)
    (photos / "notes.txt").write_text("")
    said = segcap(here, "photos", "--granularity", "panoptic", "--strict", code=3)
    assert "mglmm: 1 photograph stored turned (EXIF)" in said and "--save-images" in said
    assert "mglmm: 4 photographs from files of several pictures: the first of each was taken" in said
    assert "1 file left out: 1 txt" in said
    assert "1 file left out: 1 txt" in segcap(here, "photos", "--granularity", "panoptic")


def test_archives_films_and_addresses_are_named_before_the_model_is_loaded(here: Path) -> None:
    with zipfile.ZipFile(here / "a.zip", "w") as archive:
        archive.write(here / "photos" / "a.png")
    with tarfile.open(here / "a.tar", "w") as packed:
        packed.add(here / "photos" / "a.png")
    (here / "f.mp4").write_bytes(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(99))
    for name, line in (
        ("a.zip", "(ZIP): unpack it, and give the folder"),
        ("a.tar", "(TAR): unpack it, and give the folder"),
        ("f.mp4", "(film): take pictures from it first: ffmpeg -i"),
        ("https://x.org/a.jpg", "an address, no file: download it first"),
    ):
        said = segcap(here, name, code=2)
        assert f"{name}: " in said and line in said and "answers are written together" not in said
    said = segcap(here, "a.zip", "photos/a.png", "--granularity", "panoptic", code=3)
    assert "mglmm: a.zip: a file of another kind (ZIP)" in said and "1 photograph done" in said
    said = segcap(here, "-", "--granularity", "panoptic", code=3, stdin=b"photos/a.png\nf.mp4\ns3://there/b.jpg\n")
    assert "f.mp4: open: a file of another kind (film): take pictures" in said
    assert "open: an address, no file: download it first" in said


def test_heic_is_read_where_its_reader_is(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    pixels = np.tile(np.linspace(0, 255, 64, dtype=np.uint8)[None, :, None], (48, 1, 3))
    Image.fromarray(pixels).save(tmp_path / "IMG.HEIC", format="HEIF", quality=95)
    assert (
        kinds.has_suffix("IMG.HEIC") and kinds.format_of((tmp_path / "IMG.HEIC").read_bytes()[: kinds.HEAD]) == "HEIF"
    )
    found = decode(tmp_path / "IMG.HEIC")
    assert found.shape == (48, 64, 3) and np.abs(found.astype(int) - pixels).mean() < 4


def test_without_its_reader_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "HEIF", False)
    head = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    assert kinds.format_of(head) is None
    assert kinds.next_step(kinds.other_kind(head) or "") == "pip install 'mglmm[heic]' reads those"


def test_a_damaged_second_picture_changes_nothing(here: Path) -> None:
    photos = here / "photos"
    picture = Image.open(photos / "a.png")
    picture.save(photos / "two.tif", save_all=True, append_images=[picture])
    content = (photos / "two.tif").read_bytes()
    (photos / "two.tif").write_bytes(content[: len(content) // 2 + 40])
    shutil.rmtree(photos / "sub")
    said = segcap(here, "photos", "--granularity", "panoptic")
    assert "3 photographs done" in said and "failed" not in said
